"""The package as a whole: what it exports, how that is documented, what it imports."""

import importlib
import inspect
import pkgutil
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import torch_workflow

MODULES = [
    importlib.import_module(f"torch_workflow.{module.name}")
    for module in pkgutil.iter_modules(torch_workflow.__path__)
]
PUBLIC = {name: getattr(torch_workflow, name) for name in torch_workflow.__all__}


def functions_of(name, value):
    """A public function, or the methods that a public class writes itself, by name."""
    if inspect.isfunction(value):
        return [(name, value)]
    source = inspect.getsource(value)
    return [
        (f"{name}.{method}", function)
        for method, member in vars(value).items()
        if (function := getattr(member, "fget", member)) and inspect.isfunction(function)
        if f"def {method}(" in source
    ]


FUNCTIONS = dict(pair for name, value in PUBLIC.items() for pair in functions_of(name, value))


def test_the_exported_names_are_sorted():
    assert torch_workflow.__all__ == sorted(torch_workflow.__all__)


def test_everything_that_the_package_imports_for_its_users_is_exported():
    names = {
        name
        for name, value in vars(torch_workflow).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert names == set(torch_workflow.__all__)


def test_every_public_function_of_every_module_is_exported():
    functions = {
        name
        for module in MODULES
        for name, value in inspect.getmembers(module, inspect.isfunction)
        if not name.startswith("_") and value.__module__ == module.__name__
    }
    assert functions <= set(torch_workflow.__all__)


@pytest.mark.parametrize("module", [torch_workflow, *MODULES], ids=lambda module: module.__name__)
def test_every_module_has_a_docstring(module):
    assert module.__doc__


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_a_docstring(name):
    own = vars(PUBLIC[name]).get("__doc__") if inspect.isclass(PUBLIC[name]) else None
    docstring = own or PUBLIC[name].__doc__ or ""
    assert docstring
    assert not docstring.startswith(f"{name}(")  # what a dataclass writes where there is none


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if "._" not in name])
def test_every_public_function_and_method_has_a_docstring(name):
    assert FUNCTIONS[name].__doc__


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_and_method_is_annotated_in_full(name):
    signature = inspect.signature(FUNCTIONS[name])
    bare = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.annotation is parameter.empty and parameter.name != "self"
    ]
    assert bare == []
    assert signature.return_annotation is not signature.empty


@pytest.mark.parametrize(
    "name", [name for name, value in FUNCTIONS.items() if "Args:" in (value.__doc__ or "")]
)
def test_a_docstring_lists_the_arguments_in_the_order_of_the_signature(name):
    _, _, rest = inspect.getdoc(FUNCTIONS[name]).partition("Args:")
    arguments, *_ = rest.split("\n\n")
    listed = re.findall(r"^    (\w+): ", arguments, flags=re.MULTILINE)
    assert listed == list(inspect.signature(FUNCTIONS[name]).parameters)


def test_type_checkers_are_told_that_the_package_is_typed():
    assert Path(torch_workflow.__file__).with_name("py.typed").exists()


def test_importing_the_package_needs_neither_matplotlib_nor_tqdm(monkeypatch):
    for name in list(sys.modules):
        if name.partition(".")[0] == "torch_workflow":
            monkeypatch.delitem(sys.modules, name)
        if name.partition(".")[0] in ("matplotlib", "tqdm"):
            monkeypatch.setitem(sys.modules, name, None)
    for name in ("matplotlib", "tqdm"):
        monkeypatch.setitem(sys.modules, name, None)  # from here on it cannot be imported
    importlib.import_module("torch_workflow")
