"""Recipe keys: which keys of a recipe the programs of its command read, followed by type through their syntax trees.

A key of a common name, as `steps`, is read where something of its own section is asked for it, and not by the name alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import get_args

from pydantic import BaseModel

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Types = frozenset[type[BaseModel]]
Scope = Mapping[str, Types]
NONE: Types = frozenset()


def unread(recipe: type[BaseModel], command: str) -> set[str]:
    """Dotted keys of a recipe that nothing reads of what `training/commands/COMMAND.py` imports, at once or later."""
    reader = Reader(recipe)
    for path in sorted(_reached(ROOT / "training" / "commands" / f"{command}.py")):
        reader.read(_tree(path))
    return set(_missing(recipe, "", reader.found))


def _missing(model: type[BaseModel], above: str, found: set[tuple[type, str]]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if (model, name) not in found:
            yield above + name
        else:
            for below in _models(field.annotation):
                yield from _missing(below, f"{above}{name}.", found)


def _models(annotation: object) -> Types:
    """The sections that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return frozenset([annotation])
    return frozenset(model for one in get_args(annotation) for model in _models(one))


# Files --------------------------------------------------------------------------------------------------


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _reached(start: Path) -> set[Path]:
    """A module and all of the project's that it imports, by name or by a string that names one."""
    found, ahead = set[Path](), [start]
    while ahead:
        path = ahead.pop()
        if path not in found:
            found.add(path)
            ahead += _imported(path)
    return found


@cache
def _imported(path: Path) -> tuple[Path, ...]:
    names: set[str] = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)
    files = (ROOT / f"{name.replace('.', '/')}.py" for name in names if name.startswith("training."))
    return tuple(file for file in files if " " not in file.name and file.is_file())


# Reading ------------------------------------------------------------------------------------------------


class Reader:
    """Collects (section, key) of what is read. What is called `recipe` and has no other type is the recipe."""

    def __init__(self, recipe: type[BaseModel]) -> None:
        self.recipe: Types = frozenset([recipe])
        self.models: dict[str, type[BaseModel]] = {}
        self.found: set[tuple[type, str]] = set()
        self._own: dict[str, Types] = {}
        self._strings: set[str] = set()
        ahead = [recipe]
        while ahead:
            model = ahead.pop()
            self.models[model.__name__] = model
            ahead += [one for field in model.model_fields.values() for one in _models(field.annotation)]

    def read(self, tree: ast.Module) -> None:
        """One file."""
        self._strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}  # type: ignore[misc]
        names = {name: frozenset([model]) for name, model in self.models.items()}
        kinds = {**names, "Recipe": self.recipe}
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and self._is_told(node):
                kinds[node.name] = self.recipe
            # An alias of sections, as `Sizes = Annotated[A | B, ...]`.
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                own = self._annotated(node.value, kinds)
                if own and isinstance(node.value, (ast.Subscript, ast.BinOp)):
                    kinds[node.targets[0].id] = own
        self._kinds: dict[str, Types] = kinds
        self._block(tree.body, {})

    def _is_told(self, node: ast.ClassDef) -> bool:
        """A protocol whose properties the recipe has."""
        names = {one.name for one in node.body if isinstance(one, FUNCTIONS)}
        (recipe,) = self.recipe
        is_protocol = any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)
        return is_protocol and bool(names) and names <= recipe.model_fields.keys()

    def _annotated(self, annotation: ast.AST | None, kinds: Scope | None = None) -> Types:
        """The sections that an annotation names, in quotes too."""
        if annotation is None:
            return NONE
        kinds = self._kinds if kinds is None else kinds
        names = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
        names |= {node.value for node in ast.walk(annotation) if isinstance(node, ast.Constant)}  # type: ignore[misc]
        return frozenset(model for name in names for model in kinds.get(str(name), NONE))

    def _block(self, body: list[ast.stmt], scope: Scope) -> None:
        """Statements of one scope: names are bound wherever in it they are, then all of it is read."""
        scope = dict(scope)
        for _ in range(2):  # a name may be bound by one that is bound below
            for node in _own_nodes(body):
                self._bind(node, scope)
        for node in _own_nodes(body):
            if isinstance(node, ast.ClassDef):
                self._class(node, scope)
            elif isinstance(node, (*FUNCTIONS, ast.Lambda)):
                self._function(node, scope)
            else:
                self._expression(node, scope)

    def _class(self, node: ast.ClassDef, scope: Scope) -> None:
        before, self._own = self._own, {}
        model = self.models.get(node.name)
        own = frozenset([model]) if model else NONE
        for part in node.body:
            if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                self._own[part.target.id] = self._annotated(part.annotation)
        inner = {**scope, "self": own}
        methods = [part for part in node.body if isinstance(part, FUNCTIONS)]
        for method in sorted(methods, key=lambda one: one.name != "__init__"):
            # A validator refuses a key and does nothing with it.
            if not any("validator" in ast.dump(one) for one in method.decorator_list):
                self._function(method, inner)
        self._own = before

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scope: Scope) -> None:
        told = node.args
        inner = dict(scope)
        for argument in (*told.posonlyargs, *told.args, *told.kwonlyargs):
            if argument.arg != "self":
                inner.pop(argument.arg, None)
                if argument.annotation is not None:
                    inner[argument.arg] = self._annotated(argument.annotation)
        body = [ast.Expr(node.body)] if isinstance(node, ast.Lambda) else node.body
        self._block(body, inner)

    def _bind(self, node: ast.AST, scope: dict[str, Types]) -> None:
        if isinstance(node, ast.AnnAssign):
            own = self._annotated(node.annotation) or self._type(node.value, scope)
            self._give(node.target, own, scope)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    for one, value in zip(target.elts, node.value.elts, strict=False):
                        self._give(one, self._type(value, scope), scope)
                else:
                    self._give(target, self._type(node.value, scope), scope)

    def _give(self, target: ast.expr, own: Types, scope: dict[str, Types]) -> None:
        if isinstance(target, ast.Name) and (own or target.id in scope):
            scope[target.id] = scope.get(target.id, NONE) | own
        elif isinstance(target, ast.Attribute) and own:
            self._own[target.attr] = self._own.get(target.attr, NONE) | own

    def _type(self, node: ast.AST | None, scope: Scope) -> Types:
        """The sections that an expression may be."""
        if isinstance(node, ast.Name):
            return scope.get(node.id, self.recipe if node.id == "recipe" else NONE)
        if isinstance(node, ast.Attribute):
            above = self._type(node.value, scope)
            fields = [model.model_fields[node.attr] for model in above if node.attr in model.model_fields]
            below = frozenset(one for field in fields for one in _models(field.annotation))
            if below or fields:
                return below
            by_self = isinstance(node.value, ast.Name) and node.value.id == "self"
            own = self._own.get(node.attr, NONE) if by_self else NONE
            return own or (self.recipe if node.attr == "recipe" else NONE)
        if isinstance(node, (ast.BoolOp, ast.IfExp)):
            values = node.values if isinstance(node, ast.BoolOp) else [node.body, node.orelse]
            return frozenset(one for value in values for one in self._type(value, scope))
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr == "model_copy":
                return self._type(node.func.value, scope)
            # `read_recipe(path, Kind)` and `Kind(...)`
            named = [one.id for one in (node.func, *node.args) if isinstance(one, ast.Name)]
            return frozenset(self.models[name] for name in named if name in self.models)
        return NONE

    def _expression(self, node: ast.AST, scope: Scope) -> None:
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            for model in self._type(node.value, scope):
                if node.attr in model.model_fields:
                    self.found.add((model, node.attr))
                elif node.attr == "model_dump" and model not in self.recipe:
                    self._all(model)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            for model in self._type(node.args[0], scope):
                self.found |= {(model, name) for name in model.model_fields if name in self._strings}

    def _all(self, model: type[BaseModel]) -> None:
        for name, field in model.model_fields.items():
            self.found.add((model, name))
            for below in _models(field.annotation):
                self._all(below)


def _own_nodes(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """All nodes of one scope; of functions and classes inside only themselves and what stands in their heads."""
    ahead: list[ast.AST] = list(reversed(body))
    while ahead:
        node = ahead.pop()
        yield node
        if isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Lambda)):
            continue
        ahead += reversed(list(ast.iter_child_nodes(node)))
