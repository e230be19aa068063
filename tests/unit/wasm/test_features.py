"""Which features of later WebAssembly a module is found to use."""

from __future__ import annotations

import pytest
import wasmtime

from tests.modules.feature_texts import FEATURES
from wasmctl.wasm.features import used_features
from wasmctl.wasm.reader import read_module


@pytest.mark.parametrize("text", FEATURES)
def test_each_feature_is_found_and_no_other(text: str) -> None:
    module = bytes(wasmtime.wat2wasm(f"(module {text})"))
    assert used_features(module, read_module(module, "x")) == FEATURES[text]
