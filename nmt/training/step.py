"""One step of training: what changes (`TrainState`) and the compiled function that changes it (`TrainStep`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from nmt.config.settings import Config
from nmt.data.batches import Batch
from nmt.model.seq2seq import build_model
from nmt.runs.run import assign_weights
from nmt.text.tokenizer import PAD, Tokenizers
from nmt.training.optimizer import make_optimizer, move_average

# Far enough apart that no two replicas' generators produce the same numbers.
_SEED_DISTANCE = 7_919


class StepResult(NamedTuple):
    """Of one step, over all its batches and replicas; float32 scalars."""

    loss: tf.Tensor  # summed over the target tokens
    tokens: tf.Tensor  # how many
    gradient_norm: tf.Tensor  # before clipping


class TrainState:
    """Everything a step changes: the model with its dropout generators, the optimizer, the weights' moving average."""

    def __init__(self, config: Config, tokenizers: Tokenizers, *, precision: str) -> None:
        """Create it in the scope of the strategy."""
        training = config.training
        self.optimizer = make_optimizer(training.optimizer)
        self.model = build_model(
            config,
            source_vocabulary=tokenizers.source.vocabulary_size,
            target_vocabulary=tokenizers.target.vocabulary_size,
            precision=precision,
        )
        self.optimizer.build(self.model.trainable_variables)
        # Keras callbacks look for it there.
        self.model.optimizer = self.optimizer
        self.average = (
            [tf.Variable(weight.value, trainable=False) for weight in self.model.weights] if training.ema_decay else []
        )
        weights = {id(weight) for weight in self.model.weights}
        self.seeds = [variable for variable in self.model.variables if id(variable) not in weights]

    def arrays(self) -> dict[str, np.ndarray]:
        """The whole state, for a checkpoint (see run.Checkpoint)."""
        return {name: variable.numpy() for name, variable in self._variables().items()}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Restores what `arrays` returned.

        Raises:
            ValueError: if it came from another model or optimizer.
        """
        variables = self._variables()
        if other := variables.keys() ^ arrays.keys():
            raise ValueError(f"this checkpoint is of another training: {sorted(other)[0]!r} is only in one of the two")
        for name, variable in variables.items():
            variable.assign(arrays[name])

    def start_from(self, weights: Mapping[str, np.ndarray]) -> None:
        """Starts with another run's weights, by their variables' paths, and a fresh optimizer.

        Raises:
            ValueError: if they are of another model.
        """
        assign_weights(self.model, weights)
        # There may be no average.
        for average, weight in zip(self.average, self.model.weights, strict=False):
            average.assign(weight)

    def weights(self) -> dict[str, np.ndarray]:
        """The weights to validate and translate with: the moving average if there is one."""
        values = self.average or self.model.weights
        return {weight.path: value.numpy() for weight, value in zip(self.model.weights, values, strict=True)}

    def _variables(self) -> dict[str, Any]:
        variables: dict[str, Any] = {f"model/{weight.path}": weight for weight in self.model.weights}
        for variable in self.optimizer.variables:
            name, number = f"optimizer/{variable.path}", 2
            while name in variables:  # Adafactor gives all its variables of one kind the same name
                name, number = f"optimizer/{variable.path}#{number}", number + 1
            variables[name] = variable
        if self.average:
            pairs = zip(self.model.weights, self.average, strict=True)
            variables |= {f"average/{weight.path}": average for weight, average in pairs}
        # Keras numbers generators through the whole process: their paths differ from one process to the next.
        return variables | {f"seed/{number}": seed for number, seed in enumerate(self.seeds)}


class TrainStep:
    """The compiled step: gradients of the SUM of token losses, over all batches and replicas of the step, divided by
    the number of tokens in them all. So a step of N batches or N replicas equals one of a batch N times as large.
    """

    def __init__(self, state: TrainState, config: Config, strategy: tf.distribute.Strategy) -> None:
        """Call it in the scope of the strategy, before anything is restored into `state`."""
        self._state = state
        self._training = config.training
        self._strategy = strategy
        self._sums: list[tf.Variable] = []
        if config.training.accumulate_batches > 1:
            self._sums = [
                tf.Variable(
                    tf.zeros(shape),
                    trainable=False,
                    synchronization=tf.VariableSynchronization.ON_READ,
                    aggregation=tf.VariableAggregation.SUM,
                )
                for shape in [*(weight.shape for weight in state.model.trainable_weights), [], []]
            ]
        self._compiled: dict[str, Any] = {}

    def compile(self, batch_signature: Any) -> None:
        """Traces the step, at the first call, for what a batch looks like: the element_spec of a (distributed) dataset
        with lengths left open, so that one trace serves batches of all lengths.
        """
        if self._compiled:
            return
        functions: dict[str, tuple[Callable, list]] = {"step": (self._step, [batch_signature])}
        if self._sums:
            functions = {"accumulate": (self._accumulate, [batch_signature]), "finish": (self._finish, [])}
        for name, (function, signature) in functions.items():
            self._compiled[name] = tf.function(self._per_replica(function), input_signature=signature, autograph=False)
            self._compiled[name].get_concrete_function()

    def __call__(self, batches: list[Batch], learning_rate: float) -> StepResult:
        """Takes one optimizer step on 1 to accumulate_batches batches."""
        self._state.optimizer.learning_rate = learning_rate
        if not self._sums:
            return self._compiled["step"](*batches)
        for batch in batches:
            self._compiled["accumulate"](batch)
        return self._compiled["finish"]()

    @property
    def num_traces(self) -> int:
        return sum(function.experimental_get_tracing_count() for function in self._compiled.values())

    def _per_replica(self, function: Callable[..., StepResult | None]) -> Callable[..., StepResult | None]:
        def run(*batch: Batch) -> StepResult | None:
            result = self._strategy.run(function, args=batch)
            # Summed over all replicas already: each has the same.
            return tf.nest.map_structure(lambda value: self._strategy.experimental_local_results(value)[0], result)

        return run

    def _step(self, batch: Batch) -> StepResult:
        return self._update(self._gradients(batch))

    def _accumulate(self, batch: Batch) -> None:
        for total, value in zip(self._sums, self._gradients(batch), strict=True):
            total.assign_add(value)

    def _finish(self) -> StepResult:
        sums = [tf.identity(total) for total in self._sums]
        with tf.control_dependencies(sums):
            for total in self._sums:
                total.assign(tf.zeros_like(total))
        return self._update(sums)

    def _gradients(self, batch: Batch) -> list[tf.Tensor]:
        """Of the summed loss to each weight; the loss itself; the number of target tokens."""
        model = self._state.model
        with tf.GradientTape() as tape:
            loss = model.training_loss(
                batch, smoothing=self._training.label_smoothing, consistency=self._training.consistency
            )
        gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
        tokens = tf.reduce_sum(tf.cast(batch.target_out != PAD, tf.float32))
        # An embedding's gradient comes as rows, a token's once for each time it is there: their norm is not its norm.
        return [*map(tf.convert_to_tensor, gradients), loss, tokens]

    def _update(self, sums: list[tf.Tensor]) -> StepResult:
        context = tf.distribute.get_replica_context()
        *gradients, loss, tokens = context.all_reduce(tf.distribute.ReduceOp.SUM, sums)
        norm = tf.linalg.global_norm(gradients) / tokens
        scale = 1.0 / tokens
        clip_norm = self._training.optimizer.clip_norm
        if clip_norm is not None:
            scale *= tf.minimum(1.0, clip_norm / norm)
        self._state.optimizer.apply([gradient * scale for gradient in gradients], self._state.model.trainable_weights)
        self._update_average()
        return StepResult(loss, tokens, norm)

    def _update_average(self) -> None:
        """The decay starts low, as the first weights are useless."""
        step = tf.cast(self._state.optimizer.iterations, tf.float32)
        decay = tf.minimum(self._training.ema_decay, (1.0 + step) / (10.0 + step))
        if self._state.average:
            for average, weight in zip(self._state.average, self._state.model.weights, strict=True):
                move_average(average, weight.value, decay)


def separate_seeds(seeds: list[keras.Variable], strategy: tf.distribute.Strategy) -> None:
    """Gives each replica's dropout its own random numbers; the first replica's, which are saved, are unchanged."""

    def move() -> None:
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        for seed in seeds:
            seed.assign(seed.value + tf.cast(tf.stack([replica * _SEED_DISTANCE, 0]), seed.dtype))

    if strategy.num_replicas_in_sync > 1:
        tf.function(lambda: strategy.run(move))()
