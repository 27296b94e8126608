"""The commands, which `knuckle.cli.app` imports when they are called, and the window of `--show`."""

hiddenimports = [f"knuckle.cli.{command}" for command in ("graph", "models", "track")] + ["tkinter"]
