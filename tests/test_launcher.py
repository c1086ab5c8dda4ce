"""The launcher's promises, tried on pretend environments: nothing here uses the network."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
VERSION = sys.version_info


@pytest.fixture
def launcher() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vocaldm_launcher", ROOT / "vocaldm.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the two files that a set-up depends on."""
    root = tmp_path / "a project"
    root.mkdir()
    (root / "pyproject.toml").write_text("[project]\n")
    (root / "constraints.txt").write_text("torch==1\n")
    return root


class Steps:
    """Stands for venv and pip: makes the files that they would make and keeps what was asked.

    `fail` names a word of the command that ends with `output` and exit code 1; `die` one at which the
    whole launcher is killed.
    """

    def __init__(self, launcher: ModuleType, venv: Path, fail: str = "", die: str = "", output: str = ""):
        self.launcher, self.venv, self.fail, self.die, self.output = launcher, venv, fail, die, output
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str], log: str, folder: str, environ: dict[str, str]) -> tuple[int, str]:
        self.commands.append(command)
        if self.die and self.die in command:
            raise KeyboardInterrupt
        if self.fail and self.fail in command:
            return 1, self.output
        names = ["python"] if "venv" in command else ["vocaldm"] if "-e" in command else []
        for name in names:
            program = Path(self.launcher.venv_program(str(self.venv), name))
            program.parent.mkdir(parents=True, exist_ok=True)
            program.touch()
        return 0, ""

    @property
    def kinds(self) -> list[str]:
        """`venv`, `project`, `torchaudio`: what each command was for."""
        return ["venv" if "venv" in one else "project" if "-e" in one else one[-1] for one in self.commands]


def needed(launcher: ModuleType, root: Path, venv: Path, extras: tuple[str, ...] = ()) -> str:
    place, wanted = launcher.place_hash(str(root), str(venv), VERSION), launcher.wanted_hash(str(root))
    return launcher.work_needed(launcher.read_stamp(str(venv)), place, wanted, extras, str(venv))


def set_up(
    launcher: ModuleType, root: Path, venv: Path, extras: tuple[str, ...] = (), **trouble: str
) -> Steps:
    steps = Steps(launcher, venv, **trouble)
    launcher.set_up(str(root), str(venv), extras, VERSION, run=steps)
    return steps


def test_only_the_standard_library_is_imported() -> None:
    tree = ast.parse((ROOT / "vocaldm.py").read_text(encoding="utf-8"))
    names = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or "."])
    }
    assert "json" in names
    assert names <= set(sys.stdlib_module_names)


def test_an_old_python_can_read_the_file_and_gets_a_sentence(launcher: ModuleType) -> None:
    text = (ROOT / "vocaldm.py").read_text(encoding="ascii")
    tree = ast.parse(text, feature_version=(3, 4))
    new = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.AsyncFunctionDef, ast.Nonlocal)
    assert [node.lineno for node in ast.walk(tree) if isinstance(node, new)] == []
    assert all(node.returns is None for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    assert "3.10 or later" in launcher.too_old((3, 9, 18)) and "3.9" in launcher.too_old((3, 9, 18))
    assert "2.7" in launcher.too_old((2, 7, 18))
    assert launcher.too_old((3, 10, 0)) is None
    assert launcher.too_old((4, 0, 0)) is None


def packages_with(folder: Path, cuda: str) -> Path:
    (folder / "torch").mkdir(parents=True)
    version = f"__version__ = '2.13.0'\ndebug = False\n{cuda}\nhip: Optional[str] = None\n"
    (folder / "torch" / "version.py").write_text(version)
    (folder / "torchaudio" / "lib").mkdir(parents=True)
    for name in ("__init__.py", "_torchaudio.so", "libtorchaudio.so"):
        (folder / "torchaudio" / "lib" / name).touch()
    return folder


@pytest.mark.parametrize("cuda", ["cuda: Optional[str] = None", "cuda = None"])
def test_torchaudio_loses_its_libraries_beside_a_torch_without_cuda(
    launcher: ModuleType, tmp_path: Path, cuda: str
) -> None:
    packages = packages_with(tmp_path / "site", cuda)
    assert launcher.repair_torchaudio(str(packages)) == ["_torchaudio.so", "libtorchaudio.so"]
    assert os.listdir(packages / "torchaudio" / "lib") == ["__init__.py"]
    assert launcher.repair_torchaudio(str(packages)) == []


@pytest.mark.parametrize("cuda", ["cuda: Optional[str] = '13.0'", 'cuda = "12.8"', "cuda_like = None"])
def test_torchaudio_keeps_its_libraries_beside_a_torch_with_cuda(
    launcher: ModuleType, tmp_path: Path, cuda: str
) -> None:
    packages = packages_with(tmp_path / "site", cuda)
    assert launcher.repair_torchaudio(str(packages)) == []
    assert len(os.listdir(packages / "torchaudio" / "lib")) == 3


def test_no_torch_or_no_torchaudio_is_nothing_to_repair(launcher: ModuleType, tmp_path: Path) -> None:
    assert launcher.repair_torchaudio(str(tmp_path)) == []
    packages = packages_with(tmp_path / "site", "cuda = None")
    shutil.rmtree(packages / "torchaudio")
    assert launcher.repair_torchaudio(str(packages)) == []


def test_the_first_call_does_everything_and_the_second_nothing(
    launcher: ModuleType, project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    venv = project / ".venv"
    assert needed(launcher, project, venv) == "everything"
    steps = set_up(launcher, project, venv)
    assert steps.kinds == ["venv", "project", "torchaudio"]
    assert all("constraints.txt" in command for command in steps.commands[1:])
    assert "--no-deps" in steps.commands[2]
    assert needed(launcher, project, venv) == "nothing"
    assert set_up(launcher, project, venv).commands == []
    said = capfd.readouterr()
    assert said.out == "" and "ready" in said.err


@pytest.mark.parametrize("name", ["constraints.txt", "pyproject.toml"])
def test_a_changed_file_installs_again_into_what_is_there(
    launcher: ModuleType, project: Path, name: str
) -> None:
    venv = project / ".venv"
    set_up(launcher, project, venv)
    (project / name).write_text("changed\n")
    assert set_up(launcher, project, venv).kinds == ["project", "torchaudio"]
    assert needed(launcher, project, venv) == "nothing"


def test_test_tools_come_once_and_stay(launcher: ModuleType, project: Path) -> None:
    venv, tools = project / ".venv", ("dev", "training")
    set_up(launcher, project, venv)
    assert needed(launcher, project, venv, tools) == "install"
    assert set_up(launcher, project, venv, tools).commands[0][-1] == ".[dev,training]"
    assert needed(launcher, project, venv, tools) == "nothing"
    assert needed(launcher, project, venv) == "nothing"
    (project / "constraints.txt").write_text("changed\n")
    assert set_up(launcher, project, venv).commands[0][-1] == ".[dev,training]"


@pytest.mark.parametrize("where", ["venv", "-e", "torchaudio"])
def test_a_killed_set_up_is_not_believed(launcher: ModuleType, project: Path, where: str) -> None:
    venv = project / ".venv"
    with pytest.raises(KeyboardInterrupt):
        set_up(launcher, project, venv, die=where)
    (venv / "half-unpacked").mkdir()
    assert needed(launcher, project, venv) == "everything"
    assert set_up(launcher, project, venv).kinds == ["venv", "project", "torchaudio"]
    assert not (venv / "half-unpacked").exists()


def test_a_killed_update_is_not_believed(launcher: ModuleType, project: Path) -> None:
    venv = project / ".venv"
    set_up(launcher, project, venv)
    (project / "constraints.txt").write_text("changed\n")
    with pytest.raises(KeyboardInterrupt):
        set_up(launcher, project, venv, die="-e")
    (project / "constraints.txt").write_text("torch==1\n")
    assert needed(launcher, project, venv) == "everything"


def test_after_a_failed_download_what_is_there_is_used(launcher: ModuleType, project: Path) -> None:
    venv = project / ".venv"
    with pytest.raises(launcher.SetupError):
        set_up(launcher, project, venv, fail="-e")
    assert set_up(launcher, project, venv).kinds == ["project", "torchaudio"]


def test_after_a_failed_venv_all_is_done_again(launcher: ModuleType, project: Path) -> None:
    venv = project / ".venv"
    with pytest.raises(launcher.SetupError, match="python3-venv"):
        set_up(launcher, project, venv, fail="venv", output="ensurepip is not available")
    assert set_up(launcher, project, venv).kinds == ["venv", "project", "torchaudio"]


@pytest.mark.parametrize("program", ["python", "vocaldm"])
def test_a_lost_program_is_noticed(launcher: ModuleType, project: Path, program: str) -> None:
    venv = project / ".venv"
    set_up(launcher, project, venv)
    os.remove(launcher.venv_program(str(venv), program))
    assert needed(launcher, project, venv) == ("everything" if program == "python" else "install")


def test_a_moved_project_or_another_python_starts_afresh(launcher: ModuleType, project: Path) -> None:
    set_up(launcher, project, project / ".venv")
    moved = project.rename(project.with_name("moved"))
    assert needed(launcher, moved, moved / ".venv") == "everything"
    places = {
        launcher.place_hash(str(moved), "venv", version) for version in ((3, 11, 1), (3, 11, 9), (3, 12, 0))
    }
    assert len(places) == 2


@pytest.mark.parametrize("content", ["", "{", "[]", '"done"', "{}", '{"state": "done"}'])
def test_a_damaged_stamp_is_not_believed(launcher: ModuleType, project: Path, content: str) -> None:
    venv = project / ".venv"
    set_up(launcher, project, venv)
    (venv / launcher.STAMP).write_text(content)
    assert needed(launcher, project, venv) == "everything"


def test_somebody_elses_folder_is_left_alone(launcher: ModuleType, project: Path) -> None:
    theirs = project / "theirs"
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("years of work")
    with pytest.raises(launcher.SetupError, match="VOCALDM_VENV"):
        set_up(launcher, project, theirs)
    assert [path.name for path in theirs.iterdir()] == ["thesis.txt"]


def test_a_second_set_up_waits_for_the_first(launcher: ModuleType, project: Path) -> None:
    venv = project / ".venv"
    inside, go_on = threading.Event(), threading.Event()

    class Slow(Steps):
        def __call__(self, command: list[str], *rest: object) -> tuple[int, str]:
            inside.set()
            assert go_on.wait(30)
            return super().__call__(command, *rest)  # type: ignore[arg-type]

    def run(steps: Steps) -> threading.Thread:
        arguments = (str(project), str(venv), (), VERSION, steps)
        thread = threading.Thread(target=launcher.set_up, args=arguments)
        thread.start()
        return thread

    first, second = Slow(launcher, venv), Steps(launcher, venv)
    threads = [run(first)]
    assert inside.wait(30)
    threads.append(run(second))
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert (first.kinds, second.kinds) == (["venv", "project", "torchaudio"], [])


def test_no_network_is_called_by_its_name(
    launcher: ModuleType, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = (
        "WARNING: Retrying after 'NewConnectionError(\"[Errno -3] Temporary failure in name resolution\")'\n"
        + 40 * "noise\n"
        + "ERROR: No matching distribution found for setuptools>=77\n"
    )
    with pytest.raises(launcher.SetupError, match="connect to the network") as caught:
        set_up(launcher, project, project / ".venv", fail="-e", output=output)
    assert launcher.LOG in str(caught.value)
    said = capsys.readouterr().err
    assert "No matching distribution found" in said and said.count("noise") < 15


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("ERROR: No matching distribution found for torch==2.13.0", "64-bit Python"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("[Errno 13] Permission denied: 'vocaldm_live.egg-info'", "can't be written"),
        ("something new", "the log says more"),
    ],
)
def test_other_failures_get_their_own_sentence(launcher: ModuleType, output: str, sentence: str) -> None:
    assert sentence in launcher.advice(output)


def test_a_step_writes_to_the_log_and_returns_its_own_output(launcher: ModuleType, tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = "import sys; print('seen'); sys.stderr.write('also'); print(repr(sys.stdin.read())); sys.exit(3)"
    for _ in range(2):
        result = launcher.run_logged([sys.executable, "-c", code], str(log), str(tmp_path), dict(os.environ))
        assert result[0] == 3
        assert result[1].count("also") == 1 and "seen" in result[1] and "''" in result[1]
    assert log.read_text().count("also") == 4  # twice in the command lines, twice printed


def test_pip_does_not_look_or_write_elsewhere(launcher: ModuleType) -> None:
    environ = {"PATH": "p", "PYTHONPATH": "x", "PIP_TARGET": "x", "PIP_USER": "1", "PIP_INDEX_URL": "kept"}
    kept = launcher.pip_environment(environ)
    assert kept["PATH"] == "p" and kept["PIP_INDEX_URL"] == "kept" and kept["PIP_USER"] == "0"
    assert not {"PYTHONPATH", "PIP_TARGET"} & set(kept)


@pytest.fixture
def became(launcher: ModuleType, project: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that a launcher in a set-up project becomes; nothing is run or installed."""
    commands: list[list[str]] = []

    def become(command: list[str]) -> int:
        commands.append(command)
        return 7

    launcher.__dict__["__file__"] = str(project / "vocaldm.py")
    monkeypatch.delenv("VOCALDM_VENV", raising=False)
    monkeypatch.setattr(launcher, "become", become)
    monkeypatch.chdir(project.parent)
    set_up(launcher, project, project / ".venv", launcher.EXTRAS["test"])
    return commands


def test_every_argument_is_forwarded_as_it_is(launcher: ModuleType, became: list[list[str]]) -> None:
    arguments = ["generate", "a b.wav", "--json", "--seed", "3", "", "--", "-x", "test"]
    assert launcher.main(arguments) == 7
    assert became[0][-len(arguments) :] == arguments
    assert Path(became[0][-len(arguments) - 1]).stem == "vocaldm"
    assert launcher.main([]) == 7
    assert became[1] == became[0][: -len(arguments)]


def test_test_becomes_pytest_in_the_project(
    launcher: ModuleType, became: list[list[str]], project: Path
) -> None:
    launcher.main(["test", "-k", "mel or sketch", "-m", "not slow"])
    assert became[0][1:] == ["-m", "pytest", "-k", "mel or sketch", "-m", "not slow"]
    assert Path(became[0][0]).stem == "python"
    assert Path.cwd() == project


def test_train_becomes_the_command_for_training(
    launcher: ModuleType, became: list[list[str]], project: Path
) -> None:
    launcher.main(["train", "preset", "--sounds", "train"])
    assert became[0][-3:] == ["preset", "--sounds", "train"]
    assert Path(became[0][-4]).stem == "vocaldm-train"


def test_the_environment_may_lie_elsewhere(launcher: ModuleType, tmp_path: Path) -> None:
    assert launcher.venv_folder("/p", {}) == os.path.abspath("/p/.venv")
    assert launcher.venv_folder("/p", {"VOCALDM_VENV": ""}) == os.path.abspath("/p/.venv")
    assert launcher.venv_folder("/p", {"VOCALDM_VENV": str(tmp_path / "e")}) == str(tmp_path / "e")
    assert launcher.venv_folder("/p", {"VOCALDM_VENV": "~/e"}) == os.path.join(os.path.expanduser("~"), "e")


@pytest.mark.parametrize("chosen", [None, "7"])
def test_a_real_start_passes_arguments_exit_code_and_waiting_policy(
    launcher: ModuleType, project: Path, chosen: str | None
) -> None:
    """The whole way with a real process; the environment's two programs are stood in for."""
    shutil.copy(ROOT / "vocaldm.py", project)
    venv = project / "elsewhere"
    set_up(launcher, project, venv, launcher.USUAL_EXTRAS)
    if launcher.ON_WINDOWS:
        pytest.skip("a script can't stand in for Scripts/vocaldm.exe")
    python = Path(launcher.venv_program(str(venv), "python"))
    python.unlink()
    python.symlink_to(sys.executable)
    Path(launcher.venv_program(str(venv), "vocaldm")).write_text(
        "import os, sys\nprint(sys.argv[1:], os.environ['GOMP_SPINCOUNT'])\nsys.exit(5)\n"
    )
    environ = {key: value for key, value in os.environ.items() if key != "GOMP_SPINCOUNT"}
    environ["VOCALDM_VENV"] = str(venv)
    if chosen:
        environ["GOMP_SPINCOUNT"] = chosen
    command = [sys.executable, str(project / "vocaldm.py"), "generate", "--json"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (5, "")
    assert done.stdout.split() == ["['generate',", "'--json']", chosen or "2000"]


def test_a_command_installs_what_it_needs(launcher: ModuleType) -> None:
    """The panel comes with everything; the tray's windows only with the tray."""
    assert "tray" not in launcher.extras_for(["live"]) and "panel" in launcher.extras_for(["live"])
    assert launcher.extras_for([]) == launcher.extras_for(["demo"])
    assert {"panel", "tray"} <= set(launcher.extras_for(["tray"]))
    assert "training" in launcher.extras_for(["train", "preset"])
    named = re.search(r"optional-dependencies\]\n(.*?)\n\[", (ROOT / "pyproject.toml").read_text(), re.S)
    assert named is not None
    for words in (["live"], ["tray"], ["train"], ["cluster"], ["test"]):
        for extra in launcher.extras_for(words):
            assert re.search(rf"^{extra} = ", named[1], re.M), extra
