"""What PyInstaller cannot see in the code: the networks, and modules that are imported by their names."""

from importlib.util import find_spec

from PyInstaller.utils.hooks import collect_data_files

from knuckle.compat.modules import SOURCES

# Only training reads checkpoints, and of each network one of the two files is used.
has_litert = find_spec("ai_edge_litert") is not None
unused = ["**/*.pt", "**/onnx/*" if has_litert else "**/*.tflite", "serve/**", "synth/**", "evaluate/**", "**/*.py"]
datas = collect_data_files("knuckle", excludes=unused)
engine = ["ai_edge_litert.interpreter", "ai_edge_litert.schema_py_generated"] if has_litert else ["onnxruntime"]
commands = [f"knuckle.cli.{name}" for name in ("graph", "models", "track")]
compat = sorted(set(SOURCES.values()))  # what stands for MediaPipe's modules
hiddenimports = [*engine, *commands, *compat, "cv2", "knuckle.models.package_index", "tkinter"]
