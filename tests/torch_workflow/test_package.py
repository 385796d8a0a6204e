"""The package as a whole: what it exports, how that is documented, what it imports."""

import importlib
import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import torch_workflow

MODULES = [
    importlib.import_module(f"torch_workflow.{module.name}")
    for module in pkgutil.iter_modules(torch_workflow.__path__)
]
MODULES_BUT = {
    module.__name__: [other for other in MODULES if other is not module] for module in MODULES
}
PUBLIC = {name: getattr(torch_workflow, name) for name in torch_workflow.__all__}


INTERNAL = {
    f"{module.__name__.rpartition('.')[2]}.{name}": value
    for module in MODULES
    for name, value in vars(module).items()
    if not name.startswith("_") and (inspect.isfunction(value) or inspect.isclass(value))
    if value.__module__ == module.__name__ and name not in torch_workflow.__all__
}


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


FUNCTIONS = dict(
    pair for name, value in {**PUBLIC, **INTERNAL}.items() for pair in functions_of(name, value)
)


def test_the_exported_names_are_sorted():
    assert torch_workflow.__all__ == sorted(torch_workflow.__all__)


def test_everything_that_the_package_imports_for_its_users_is_exported():
    names = {
        name
        for name, value in vars(torch_workflow).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert names == set(torch_workflow.__all__)


def test_every_function_is_private_or_exported_or_used_by_another_module():
    unused = {
        name
        for name, value in INTERNAL.items()
        if inspect.isfunction(value)
        and not any(value in vars(module).values() for module in MODULES_BUT[value.__module__])
    }
    assert unused == set()


@pytest.mark.parametrize("module", [torch_workflow, *MODULES], ids=lambda module: module.__name__)
def test_every_module_has_a_docstring(module):
    assert module.__doc__


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_a_docstring(name):
    own = vars(PUBLIC[name]).get("__doc__") if inspect.isclass(PUBLIC[name]) else None
    docstring = own or PUBLIC[name].__doc__ or ""
    assert docstring
    assert not docstring.startswith(f"{name}(")  # what a dataclass writes where there is none


@pytest.mark.parametrize("name", INTERNAL)
def test_every_name_that_modules_share_has_a_docstring(name):
    assert INTERNAL[name].__doc__


@pytest.mark.parametrize(
    "name", [name for name in FUNCTIONS if name.split(".")[0] in PUBLIC and "._" not in name]
)
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
    "name",
    [
        name
        for name, value in FUNCTIONS.items()
        if "Args:" in (value.__doc__ or "")
        or (name in torch_workflow.__all__ and inspect.signature(value).parameters)
    ],
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


@pytest.fixture(scope="module")
def imported() -> dict[str, list[str]]:
    """The modules that a new process has after importing torch, and those that come after it."""
    script = """if True:
        import json, sys
        import torch
        before = set(sys.modules)
        import torch_workflow
        print(json.dumps({"torch": sorted(before), "then": sorted(set(sys.modules) - before)}))
    """
    source = str(Path(torch_workflow.__file__).parents[1])
    run = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=True,
    )
    modules: dict[str, list[str]] = json.loads(run.stdout)
    return modules


@pytest.mark.parametrize(
    "name", ["matplotlib", "torch._dynamo", "torch._inductor", "torch.utils.tensorboard"]
)
def test_importing_the_package_imports_nothing_that_only_some_runs_need(imported, name):
    modules = [*imported["torch"], *imported["then"]]
    assert [module for module in modules if f"{module}.".startswith(f"{name}.")] == []


def test_importing_the_package_after_torch_imports_little_else(imported):
    others = {module.partition(".")[0] for module in imported["then"]} - sys.stdlib_module_names
    assert others <= {"torch_workflow", "safetensors", "numpy"}
