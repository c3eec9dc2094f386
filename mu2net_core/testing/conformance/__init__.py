"""What every plug-in must do: suites to inherit from."""
