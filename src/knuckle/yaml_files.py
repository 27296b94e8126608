"""YAML of cameras and of datasets, as other programs write it, as plain mappings, lists, texts and numbers.

OpenCV's own reader never returns from some damaged files, which fuzzing found; so PyYAML reads those of cameras too.
"""

from __future__ import annotations

import re
from typing import Any

OPENCV_START = re.compile(r"\A\s*%YAML:[^\n]*")  # PyYAML knows "%YAML 1.0" without the colon
LARGEST = 250_000
"""Letters of the largest text. PyYAML reads so many in 1.2 s; files of cameras have a few thousand."""
SHORT_FLOAT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$")  # 1e-05, a text in YAML 1.1


def read_yaml(text: str) -> Any:
    """The first document of a text. The keys of mappings are texts.

    Raises:
        ValueError: it is no YAML, too large, or refers to other parts of itself, which can take any amount of memory.
    """
    import yaml

    if len(text) > LARGEST:
        raise ValueError(f"it has {len(text):,} letters; at most {LARGEST:,} are read")

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """Takes values with tags that it does not know, as `!!opencv-matrix`, for plain ones."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise ValueError("references (*name) are not read")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:
            return {str(key): value for key, value in super().construct_mapping(node, deep).items()}

        def construct_undefined(self, node: Any) -> Any:
            if isinstance(node, yaml.MappingNode):
                return self.construct_mapping(node, deep=True)
            if isinstance(node, yaml.SequenceNode):
                return self.construct_sequence(node, deep=True)
            return self.construct_scalar(node)

    Loader.add_constructor(None, Loader.construct_undefined)
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", SHORT_FLOAT, list("-+.0123456789"))
    try:
        loader = Loader(OPENCV_START.sub("", text))  # it looks at the letters at once
        try:
            return loader.get_data() if loader.check_data() else None
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
