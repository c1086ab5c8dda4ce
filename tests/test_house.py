"""The house keeps its order: who imports whom, what is imported when, what lies in the repository."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.resources
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from parts import missing

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent

# Which rooms a room may import, itself apart. `errors` and the package's version are for everybody.
MAY_IMPORT: dict[str, set[str]] = {
    "sound": set(),
    "measure": {"sound"},
    "deliver": {"sound"},
    "listen": {"sound"},
    "osc": set(),
    "panel": {"osc", "sound", "deliver"},
    "tray": {"osc"},
    "model": {"sound"},
    "checkpoints": {"sound", "model"},
    "engine": {"sound", "model", "checkpoints"},
    "library": {"sound", "model", "checkpoints"},
    "reference": {"sound", "model", "checkpoints", "engine"},
    "cluster": {"sound", "model", "checkpoints", "engine"},
    "errors": set(),
    "__init__": set(),
}
ROOF = {"cli", "commands", "daemon", "evaluation", "settings", "__main__"}
FOR_ALL = {"errors", "__init__"}

# Loaded only where they are used, so that `vocaldm --help` answers at once and files work without PortAudio.
HEAVY = {"torch", "diffusers", "transformers", "sounddevice", "matplotlib", "PySide6", "ray"}
LIGHT_PLACES = (
    "__init__.py",
    "__main__.py",
    "cli*.py",
    "errors.py",
    "settings.py",
    "commands/*.py",
    "deliver/*.py",
    "library/*.py",
)


def python_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def room_of(module: str) -> str:
    """`vocaldm_live.sound.mel` -> `sound`; the package itself is `__init__`."""
    parts = module.split(".")
    room = parts[1] if len(parts) > 1 else "__init__"
    return "cli" if room.startswith("cli") else room


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def project_modules(root: Path) -> set[str]:
    """Every module and package of the project, by its dotted name."""
    files = [path for top in ("vocaldm_live", "training") for path in python_files(root / top)]
    names = {module_name(path, root) for path in files}
    return names | {name.rsplit(".", 1)[0] for name in names if "." in name}


def imports_of(path: Path, root: Path, modules: set[str]) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import in a file, in functions too, and of literal import_module calls."""
    package = path.relative_to(root).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, *([node.module] if node.module else [])))
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield node.lineno, whole if whole in modules else base
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = ast.unparse(node.func).rsplit(".", 1)[-1]
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield node.lineno, node.args[0].value


def wrong_arrows(root: Path) -> list[str]:
    """One line for each import that points upward or sideways in the house below root."""
    modules, wrong = project_modules(root), []
    for path in python_files(root / "vocaldm_live"):
        room = room_of(module_name(path, root))
        where = path.relative_to(root).as_posix()
        if room not in MAY_IMPORT and room not in ROOF:
            wrong.append(f"{where}: the room {room} has no line in MAY_IMPORT")
            continue
        for line, name in imports_of(path, root, modules):
            top = name.split(".")[0]
            if top == "training":
                wrong.append(f"{where}:{line} imports {name}: training is above vocaldm_live")
            elif top == "vocaldm_live" and room not in ROOF:
                if room_of(name) not in MAY_IMPORT[room] | FOR_ALL | {room}:
                    wrong.append(f"{where}:{line} imports {name}: {room} may not know {room_of(name)}")
    return wrong


def early_imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, top-level name) of what is imported along with the module; TYPE_CHECKING blocks are not."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module.split(".")[0]
        waiting.extend(ast.iter_child_nodes(node))


def light_files() -> list[Path]:
    return sorted(path for pattern in LIGHT_PLACES for path in (ROOT / "vocaldm_live").glob(pattern))


def repository_files() -> list[Path]:
    """The files that belong to the repository: git's list, or all visible ones where there is no git."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        paths = [ROOT / name for name in listed.split("\0") if name]
    else:
        tops = [top for top in ROOT.iterdir() if not top.name.startswith(".") or top.name == ".ci"]
        paths = [path for top in tops for path in (top, *top.rglob("*"))]
    return sorted(path for path in paths if path.is_file() and "__pycache__" not in path.parts)


@pytest.mark.slow
def test_imports_point_downward() -> None:
    assert wrong_arrows(ROOT) == []


@pytest.mark.parametrize(
    ("file", "text", "complaint"),
    [
        ("sound/mel.py", "from vocaldm_live.model import unet", "sound may not know model"),
        ("model/unet.py", "def f():\n    import vocaldm_live.engine.engine", "model may not know engine"),
        ("model/unet.py", "from ..checkpoints.preset import load", "model may not know checkpoints"),
        ("model/unet.py", "from .. import engine", "model may not know engine"),
        ("deliver/wave.py", "from vocaldm_live import listen", "deliver may not know listen"),
        (
            "measure/yin.py",
            "import importlib\nimportlib.import_module('vocaldm_live.model')",
            "measure may not",
        ),
        ("engine/engine.py", "from training.loop import train", "training is above"),
        ("cli.py", "import training", "training is above"),
        ("attic/box.py", "import os", "no line in MAY_IMPORT"),
    ],
)
def test_a_wrong_arrow_is_seen(tmp_path: Path, file: str, text: str, complaint: str) -> None:
    for room in ("sound", "model", "engine", "checkpoints", "listen"):
        (tmp_path / "vocaldm_live" / room).mkdir(parents=True)
        (tmp_path / "vocaldm_live" / room / "__init__.py").touch()
    path = tmp_path / "vocaldm_live" / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    wrong = wrong_arrows(tmp_path)
    assert len(wrong) == 1 and complaint in wrong[0]


def test_right_arrows_pass(tmp_path: Path) -> None:
    package = tmp_path / "vocaldm_live"
    (package / "engine").mkdir(parents=True)
    (package / "sound").mkdir()
    (package / "sound" / "mel.py").write_text("from .. import __version__\nfrom ..errors import SoundError\n")
    (package / "errors.py").write_text("class SoundError(Exception): ...\n")
    (package / "engine" / "engine.py").write_text("import torch\nfrom vocaldm_live.sound.mel import mel\n")
    (package / "cli.py").write_text("from vocaldm_live.engine.engine import Engine\n")
    assert wrong_arrows(tmp_path) == []


def test_heavy_libraries_wait_until_they_are_used() -> None:
    early = [
        f"{path.relative_to(ROOT).as_posix()}:{line} imports {name} at once"
        for path in light_files()
        for line, name in early_imports(ast.parse(path.read_text(encoding="utf-8")))
        if name in HEAVY
    ]
    assert early == []


def test_the_command_line_loads_nothing_heavy() -> None:
    """Also not by way of other rooms: import all the light places in a fresh process and look."""
    names = [module_name(path, ROOT) for path in light_files() if path.name != "__main__.py"]
    assert {"vocaldm_live.cli", "vocaldm_live.deliver"} <= set(names)
    code = f"import sys, {', '.join(names)}\nprint(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_files_stay_short() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in repository_files()
        if path.suffix == ".py"
    }
    assert "tests/test_house.py" in lengths
    longest = {name: 600 if name.startswith("tests/") else 400 for name in lengths}
    assert {name: length for name, length in lengths.items() if length > longest[name]} == {}


def machine_paths(text: str) -> list[str]:
    """Absolute paths that only exist on the machine of whoever wrote them."""
    tops = "|".join(("work", "root", "opt", r"home/\w+", r"Users/\w+"))
    return re.findall(r"(?<![\w.~/-])/(?:" + tops + r")/[\w.-]+", text)


def test_machine_paths_are_told_from_others() -> None:
    assert machine_paths("see /" + "work/shared and '/" + "root/x'") == ["/" + "work/shared", "/" + "root/x"]
    assert machine_paths("../work/x, net/" + "work/x, https://a.org/" + "opt/x, ~/" + "work/x") == []


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    found = {}
    for path in repository_files():
        data = path.read_bytes()
        if b"\0" not in data[:8192]:
            found[path.relative_to(ROOT).as_posix()] = machine_paths(data.decode("utf-8", "replace"))
    assert "pyproject.toml" in found
    assert {name: paths for name, paths in found.items() if paths} == {}


def test_every_package_is_named_in_pyproject() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    named = settings["tool"]["setuptools"]["packages"]
    folders = {path.parent for top in ("vocaldm_live", "training") for path in python_files(ROOT / top)}
    there = {".".join(folder.relative_to(ROOT).parts) for folder in folders} | {"vocaldm_live_presets"}
    assert sorted(named) == sorted(there)


def test_the_installed_project_carries_its_presets() -> None:
    try:
        importlib.metadata.distribution("vocaldm-live")
    except importlib.metadata.PackageNotFoundError:
        missing("the project is not installed in this environment")
    assert (importlib.resources.files("vocaldm_live_presets") / "house" / "preset.yaml").is_file()


@pytest.mark.slow
def test_the_wheel_carries_code_presets_and_demo(tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    for top in ("vocaldm_live", "training", "presets"):
        ignore = shutil.ignore_patterns("__pycache__", "*.safetensors", "*.wav")
        shutil.copytree(ROOT / top, source / top, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, source)
    preset = source / "presets" / "tiny" / "deeper"
    preset.mkdir(parents=True)
    for name in ("preset.yaml", "weights.safetensors", "CREDITS.md"):
        (preset / name).write_text(name)
    (source / "vocaldm_live" / "demo").mkdir(exist_ok=True)
    (source / "vocaldm_live" / "demo" / "hum.wav").write_bytes(b"RIFF")

    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*pip, "-w", str(out), str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = out.glob("vocaldm_live-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())

    for path in source.rglob("*.py"):
        inside = path.relative_to(source).as_posix()
        if inside.split("/")[0] in ("vocaldm_live", "training"):
            assert inside in names
    for path in (source / "presets").rglob("*"):
        if path.suffix in (".yaml", ".safetensors", ".md"):
            inside = path.relative_to(source / "presets").as_posix()
            assert f"vocaldm_live_presets/{inside}" in names
    assert "vocaldm_live_presets/tiny/deeper/weights.safetensors" in names
    assert "vocaldm_live/demo/hum.wav" in names
    assert "vocaldm_live/hosts/reaper/vocaldm_clips.lua" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "vocaldm_live",
        "vocaldm_live_presets",
        "training",
    }
