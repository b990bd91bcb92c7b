"""A real browser, for tests of pages."""

import shutil
from contextlib import contextmanager

import pytest


def find_chromium() -> str:
    """The path of Chromium; skips the test where there is none."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    return found


@contextmanager
def open_tab(driver, *, timeout):
    """A tab of Chromium, whose waits end after `timeout` milliseconds, by Playwright's `driver`."""
    browser = driver.chromium.launch(executable_path=find_chromium())
    tab = browser.new_page()
    tab.set_default_timeout(timeout)
    yield tab
    browser.close()
