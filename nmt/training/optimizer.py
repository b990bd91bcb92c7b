"""The optimizers of Keras, Adam and AdamW with one or two passes over the weights instead of a dozen, and the weights'
moving average.
"""

from __future__ import annotations

import inspect

import keras
import tensorflow as tf

from nmt.config.training import OptimizerConfig


@keras.saving.register_keras_serializable("nmt")
class Adam(keras.optimizers.Adam):
    """keras.optimizers.Adam, updated by TensorFlow's kernel for Kingma & Ba 2015, section 2."""

    def update_step(self, gradient, variable, learning_rate):
        if self.amsgrad:
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


@keras.saving.register_keras_serializable("nmt")
class AdamW(Adam, keras.optimizers.AdamW):
    """keras.optimizers.AdamW, which is Adam once the weights have decayed (Loshchilov & Hutter 2019, alg. 2)."""

    def _apply_weight_decay(self, variables):
        if self.weight_decay is None:
            return
        kept = 1.0 - self.weight_decay * self.learning_rate
        for variable in variables:
            if self._use_weight_decay(variable):
                value = variable.value * tf.cast(kept, variable.dtype)
                tf.raw_ops.AssignVariableOp(resource=variable.value.handle, value=value)


OPTIMIZERS = {
    "adam": Adam,
    "adamw": AdamW,
    "nadam": keras.optimizers.Nadam,
    "adafactor": keras.optimizers.Adafactor,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
    "lion": keras.optimizers.Lion,
}


def move_average(average: tf.Variable, value: tf.Tensor, decay: tf.Tensor) -> None:
    """average <- decay x average + (1 - decay) x value, of float32 each; decay above 0.

    Equals (average + share x value) / (1 + share), one fused pass in TensorFlow: a proximal step with l2 = -1.
    """
    share = (1.0 - decay) / decay
    tf.raw_ops.ResourceApplyProximalGradientDescent(var=average.handle, alpha=-share, l1=0.0, l2=-1.0, delta=value)


# Arguments that other settings of `training` determine.
_RESERVED = {
    "learning_rate": "training.schedule.learning_rate",
    "clipnorm": "training.optimizer.clip_norm",
    "clipvalue": "training.optimizer.clip_norm",
    "global_clipnorm": "training.optimizer.clip_norm",
    "use_ema": "training.ema_decay",
    "ema_momentum": "training.ema_decay",
    "ema_overwrite_frequency": "training.ema_decay",
    "gradient_accumulation_steps": "training.accumulate_batches",
    "loss_scale_factor": "training.precision, which needs none",
    "name": "training.optimizer.name",
}


def make_optimizer(settings: OptimizerConfig) -> keras.optimizers.Optimizer:
    """The Keras optimizer that `settings` name; its learning rate is set at each step.

    Raises:
        ValueError: for an argument that it does not accept, or that another setting determines.
    """
    optimizer_class = OPTIMIZERS[settings.name]
    known = [name for name in inspect.signature(optimizer_class).parameters if name not in {*_RESERVED, "kwargs"}]
    for name in settings.arguments:
        if name in _RESERVED:
            raise ValueError(f"training.optimizer.arguments.{name}: is set by {_RESERVED[name]}")
        if name not in known:
            raise ValueError(
                f"training.optimizer.arguments.{name}: keras.optimizers.{optimizer_class.__name__} has no such "
                f"argument; it has {', '.join(known)}"
            )
    try:
        optimizer = optimizer_class(learning_rate=0.0, **settings.arguments, name="optimizer")
    except (ValueError, TypeError) as error:
        raise ValueError(f"training.optimizer.arguments: {error}") from None
    # The step has summed the gradients over the replicas, to clip the sum; Keras would sum them again.
    optimizer._all_reduce_sum_gradients = lambda gradients_and_variables: gradients_and_variables
    return optimizer
