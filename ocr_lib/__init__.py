"""LSTM-CTC text recognition with MXNet's Module API: train, read, measure."""

__version__ = "0.2.0"
