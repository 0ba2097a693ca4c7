"""The Python API: functions, tool, chat model, and the runs behind them."""
