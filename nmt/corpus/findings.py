"""What a check reports: errors, warnings and notes, with the first lines of each. Imports no TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass, field

_EXAMPLES = 5


@dataclass
class Finding:
    """One finding: what it is, how often it occurs, and the first lines of the file where it does."""

    text: str
    file: str = ""
    count: int = 0
    lines: list[int] = field(default_factory=list)

    def add(self, line: int) -> None:
        self.count += 1
        if len(self.lines) < _EXAMPLES:
            self.lines.append(line)

    def __str__(self) -> str:
        if not self.count:
            return self.text
        more = ", ..." if self.count > len(self.lines) else ""
        return f"{self.text}: {self.count:,}\n      {self.file}:{', '.join(map(str, self.lines))}{more}"


@dataclass
class Report:
    """Errors prevent training, warnings deserve a look, notes inform. str() is a readable page."""

    errors: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    def refusal(self) -> str:
        """The errors as one message."""
        if len(self.errors) == 1:
            return str(self.errors[0])
        return "\n".join([f"{len(self.errors)} errors in the job's files", *(f"  - {error}" for error in self.errors)])

    def __str__(self) -> str:
        parts = []
        for title, findings in (("Errors", self.errors), ("Warnings", self.warnings), ("Notes", self.notes)):
            if findings:
                parts.append("\n".join([title, *(f"  - {finding}" for finding in findings)]))
        return "\n\n".join(parts) if parts else "Nothing to report."
