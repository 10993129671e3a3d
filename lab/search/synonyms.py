"""Other people's words for what a sweep of this repository says: parameters, metrics and values, in one table.

Words are compared without regard to case and to anything but letters and digits: `val/accuracy` is `val_accuracy`. A
synonym counts only where the notebook lacks the word itself, so that a notebook of one's own keeps its own words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

PARAMETERS = {
    "max_epochs": "epoch epochs n_epoch n_epochs nb_epochs num_epoch num_epochs number_of_epochs no_of_epochs "
    "max_epoch max_iter train_epochs training_epochs total_epochs",
    "layers": "layer num_layer num_layers n_layers nb_layers no_of_layers number_of_layers layer_count hidden_layer "
    "hidden_layers num_hidden_layer num_hidden_layers n_hidden_layers nb_hidden_layers no_hidden_layers num_hl nhl hl "
    "no_of_hidden_layers number_of_hidden_layers number_hidden_layers hidden_layer_count "
    "hidden_layers_count no_hidden_layer num_hlayers num_hlayer n_hlayers",
    "num_hidden_neurons": "hidden_size hidden_sizes hidden_layer_size hidden_layer_sizes hidden_layers_size layer_size "
    "hidden_layers_sizes size_hidden_layer size_hidden_layers size_of_hidden_layer size_of_hidden_layers layer_sizes "
    "size_of_each_layer hidden_unit hidden_units num_hidden_units n_hidden_units units num_units n_units hidden_dim "
    "hidden_dims hidden_dimension hidden_node hidden_nodes num_hidden_nodes num_nodes nodes_per_layer hidden_neuron "
    "hidden_neurons n_hidden_neurons neurons num_neurons n_neurons no_neurons no_of_neurons number_of_neurons "
    "neurons_per_layer neurons_per_hidden_layer num_neurons_per_layer num_neurons_per_hidden_layer "
    "hidden_layer_neurons hidden_layer_units hidden_layer_nodes hidden_layer_dim hidden_width layer_width "
    "layer_units width nhn hn sz size_hidden s_hidden_layers fc_layer_size num_neurons_in_hidden_layers "
    "neurons_in_hidden_layers neurons_in_each_hidden_layer neurons_in_each_hidden_layers",
    "initializer": "initializers initialiser weight_init weights_init weight_init_method weight_initializer "
    "weight_initialiser weights_initializer weight_initialization weight_initialisation weights_initialization "
    "weights_initialisation weight_initialization_method weight_initialisation_method init w_i w_init init_method "
    "init_strategy init_type init_mode initialize initialization initialisation initialization_method "
    "initialisation_method initialization_type initialization_technique mode_of_initialization wt_init param_init "
    "layer_initialization weight_initializations parameter_initialization kernel_initializer",
    "activation": "activations activation_function activation_functions activation_func activation_fn activation_type "
    "act act_fn act_func act_function hidden_activation hidden_activations hidden_activation_function "
    "hidden_layer_activation nonlinearity",
    "learning_rate": "learning_rates learn_rate lr eta step_size init_lr initial_lr base_lr",
    "weight_decay": "weight_decays weight_decay_rate wd l2 l2_reg l2_lambda l2_coeff l2_penalty l2_regularization "
    "l2_regularisation l2_regularizer reg reg_lambda lambda lambd lambda_reg regularization regularisation "
    "regularization_strength lamda wt_decay l2_regpara",
    "optimizer": "optimizers optimiser optimisers opt optim optimizer_name optimizer_type optimizer_function "
    "optimization optimisation optimization_algorithm optimisation_algorithm optimization_method optimizer_technique",
    "batch_size": "batch batch_sizes batchsz bs mini_batch mini_batch_size train_batch_size",
    "loss": "losses loss_fn loss_func loss_function loss_type loss_name criterion cost cost_function",
    "seed": "random_seed random_state rng_seed manual_seed np_seed",
    "validation_fraction": "val_fraction val_ratio val_split val_size validation_ratio validation_split",
    "momentum": "mom momentum_rate momentum_beta momentum_coefficient",
    "beta": "rho beta_value rms_beta rmsprop_beta",
    "schedule": "scheduler lr_schedule lr_scheduler lr_decay_schedule learning_rate_schedule learning_rate_scheduler",
    "warmup": "warmup_epochs num_warmup_epochs",
    "dropout": "dropout_rate dropout_prob dropout_p drop_rate drop_prob dropout_probability hidden_dropout",
    "input_dropout": "input_dropout_rate dropout_input dropout_in",
    "label_smoothing": "smoothing label_smooth label_smoothing_factor",
    "mixup": "mixup_alpha",
    "normalization": "normalisation norm norm_type norm_layer normalization_layer",
    "augmentation": "augmentations augment data_augmentation augmentation_type",
    "averaging": "weight_averaging",
    "beta1": "b1",
    "beta2": "b2",
    "epsilon": "eps",
}
METRICS = {
    "validationaccuracy": "val_acc val_accuracy val_accuracies valid_acc valid_accuracy validation_acc acc_val "
    "accuracy_val accuracy_validation dev_acc dev_accuracy best_val_acc best_val_accuracy "
    "avg_val_acc avg_val_accuracy avg_valid_acc final_val_acc final_val_accuracy val_accuracy_final",
    "validationloss": "val_loss valid_loss validation_losses loss_val loss_validation val_losses dev_loss",
    "accuracy": "acc train_acc train_accuracy training_acc training_accuracy",
    "loss": "train_loss training_loss",
}
VALUES = {
    "initializer": {
        "random": "normal random_normal gaussian random_init randn rand",
        "xavier": "glorot xavier_uniform glorot_uniform xavier_init xavier_initialization",
        "he": "kaiming he_normal kaiming_normal he_init kaiming_init",
    },
    "activation": {
        "identity": "linear none",
        "sigmoid": "logistic",
        "tanh": "hyperbolic_tangent",
        "leaky_relu": "lrelu",
        "silu": "swish",
    },
    "schedule": {
        "constant": "none fixed",
        "step": "step_lr multistep",
        "cosine": "cosine_annealing cos cosine_decay cosine_annealing_lr",
        "one_cycle": "onecycle_lr",
    },
    "normalization": {
        "batch": "bn batch_norm batch_normalization",
        "layer": "ln layer_norm layer_normalization",
    },
    "averaging": {"exponential": "ema", "last": "swa"},
    "optimizer": {
        "sgd": "gd vanilla vanilla_sgd stochastic stochastic_gd gradient_descent stochastic_gradient_descent batch_gd "
        "vgd",
        "mgd": "momentum momentum_gd momentum_sgd sgd_momentum sgd_with_momentum gd_momentum momentum_gradient_descent "
        "sgdm momentum_based_gd momentum_based_gradient_descent mbgd",
        "nag": "nesterov ngd nesterov_momentum nesterov_gd nesterov_sgd sgd_nesterov nesterov_gradient_descent nagd "
        "nesterov_accelerated_gd nesterov_accelerated_gradient nesterov_accelerated_gradient_descent",
        "rmsprop": "rms",
        "nadam": "nesterov_adam",
    },
    "loss": {
        "cross_entropy": "ce cel cre cross cross_entropy_loss categorical_cross_entropy entropy nll "
        "categorical_cross_entropy_loss sparse_categorical_cross_entropy log_loss softmax_cross_entropy",
        "squared_error": "mse mean_squared mean_squared_error mean_square_error mean_square mse_loss squared "
        "squared_loss square_loss l2_loss mean_squared_error_loss sse",
    },
}
SWITCH = ("true", "false", "yes", "no")
GIVEN = {  # what can be one thing alone, whose names follow: the data set, and what it and the task make of a network
    "dataset": "fashion_mnist fashion fmnist",
    "input_size": "784",
    "output_size": "10",
    "output_activation": "softmax",
}
ON_WANDB = ("wandb_project", "wandb_entity", "wandb_name", "wandb_run_name", "project", "entity")  # of scripts


def bare(word: object) -> str:
    """A word without what people spell differently."""
    return re.sub(r"[\W_]", "", str(word).casefold())


def _meanings(table: Mapping[str, str]) -> dict[str, str]:
    words = {bare(ours): ours for ours in table}
    return words | {bare(word): ours for ours, others in table.items() for word in others.split()}


_PARAMETERS, _METRICS = _meanings(PARAMETERS), _meanings(METRICS)
_GIVEN = {bare(name): frozenset(map(bare, words.split())) for name, words in GIVEN.items()}
_VALUES = {parameter: _meanings(table) for parameter, table in VALUES.items()}


def parameter(name: str, values: Any) -> str | None:
    """Our word for a parameter that somebody gives these values; None if there is none."""
    if any(isinstance(value, bool) or bare(value) in SWITCH for value in values):
        return None  # a switch, and we have none
    ours = _PARAMETERS.get(bare(name))
    widths = ours == "layers" and any(isinstance(value, list) for value in values)
    return "num_hidden_neurons" if widths else ours


def metric(name: str) -> str | None:
    """Our word for a metric."""
    return _METRICS.get(bare(name))


def value(ours: str, theirs: Any) -> Any:
    """What a value of our parameter means, in our words; the value itself where that is unknown."""
    if ours == "num_hidden_neurons" and isinstance(theirs, str):
        return _widths(theirs)
    if ours in _VALUES and isinstance(theirs, str):
        return _VALUES[ours].get(bare(theirs), theirs)
    return theirs


def _widths(text: str) -> Any:
    """One width, or one a layer, from text such as "64" or "128, 64"."""
    if not re.fullmatch(r"\W*\d{1,9}([\s,;x-]+\d{1,9})*\W*", text):
        return text
    widths = [int(digits) for digits in re.findall(r"\d+", text)]
    return widths if len(widths) > 1 else widths[0]


def given(name: str) -> frozenset[str] | None:
    """The values, as bare words, of a parameter that can have no others; None for any other parameter."""
    return _GIVEN.get(bare(name))
