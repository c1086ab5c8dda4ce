"""Processes that torchrun or srun have started: joined as one run, refused where they are others than were told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import parts
import pytest
import torch
from tiny import assert_sentence

parts.package("lightning_fabric")  # of the extra [training]

from train_toys import run_toy  # noqa: E402

from training.checkpoint import load  # noqa: E402
from training.errors import RunError  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted((ROOT / "training" / "slurm").glob("*.sh"))
STEPS = "budget.steps=12"

# Stands where the scripts name Python: `-m training` becomes the toy, with the options that every command takes.
PYTHON = """#!{python}
import os, sys
given = sys.argv[1:]
place = given.index("training")
given[place - 1 : place + 1] = [{toy!r}]
os.execv({python!r}, [{python!r}, *given])
"""
TOY = """import sys
sys.path[:0] = [{tests!r}, {root!r}]
from pathlib import Path
from train_toys import run_toy
given = sys.argv[2:]
told = dict(zip(given[::2], given[1::2], strict=True))
changes = [given[place + 1] for place, one in enumerate(given) if one == "--set"]
more = [f"machine.{{name}}={{told['--' + name]}}" for name in ("devices", "nodes") if "--" + name in told]
run_toy(Path(told["--out"]), {steps!r}, *changes, *more)
"""
# Sets for its processes what srun sets, on two machines that are both this one.
SRUN = """#!{python}
import os, subprocess, sys
command = sys.argv[1:]
while command[0].startswith("--"):
    command.pop(0)
count, per = int(os.environ["SLURM_JOB_NUM_NODES"]), int(os.environ["SLURM_NTASKS_PER_NODE"])
running = []
for rank in range(count * per):
    own = {{"SLURM_NTASKS": count * per, "SLURM_STEP_NUM_TASKS": count * per, "SLURM_PROCID": rank,
           "SLURM_LOCALID": rank % per, "SLURM_NODEID": rank // per, "SLURM_NNODES": count,
           "SLURM_NODELIST": "127.0.0.1"}}
    running.append(subprocess.Popen(command, env={{**os.environ, **{{key: str(one) for key, one in own.items()}}}}))
sys.exit(max(one.wait() for one in running))
"""


def program(path: Path, text: str, **names: str) -> Path:
    path.write_text(text.format(python=sys.executable, **names))
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of one process that others are held against."""
    folder = tmp_path_factory.mktemp("whole")
    assert run_toy(folder, STEPS).ended == "done"
    return folder


def by_script(tmp_path: Path, name: str, **surroundings: str) -> Path:
    """The folder of a run of 12 steps that a script of training/slurm started."""
    parts.needs("bash")
    tools = tmp_path / "tools"
    tools.mkdir()
    toy = tools / "toy.py"
    toy.write_text(TOY.format(tests=str(ROOT / "tests"), root=str(ROOT), steps=STEPS))
    program(tools / "srun", SRUN)
    given = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    done = subprocess.run(
        ["bash", str(ROOT / "training" / "slurm" / name), "toy", "--out", str(tmp_path / "run")],
        env={
            **given,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "PYTHON": str(program(tools / "python", PYTHON, toy=str(toy))),
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            **surroundings,
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return tmp_path / "run"


def assert_same_run(one: Path, other: Path) -> None:
    ours, theirs = (load(folder / "checkpoint.safetensors")[0] for folder in (one, other))
    assert ours.keys() == theirs.keys()
    for name in theirs:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-5, atol=1e-5, msg=name)


@pytest.mark.slow
def test_the_script_for_several_nodes_is_the_same_run(whole: Path, tmp_path: Path) -> None:
    job = {"SLURM_JOB_ID": "4711", "SLURM_JOB_NAME": "vocaldm-train", "SLURM_JOB_NUM_NODES": "2"}
    one_each = {"SLURM_NTASKS_PER_NODE": "1", "SLURM_CPUS_PER_TASK": "1"}
    assert_same_run(by_script(tmp_path, "several_nodes.sh", **job, **one_each), whole)


@pytest.mark.slow
def test_the_script_for_one_node_is_the_same_run(whole: Path, tmp_path: Path) -> None:
    assert_same_run(by_script(tmp_path, "one_node.sh", GPUS="2"), whole)


@pytest.mark.parametrize(
    "surroundings",
    [
        {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"},
        {"SLURM_NTASKS": "2", "SLURM_STEP_NUM_TASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_PROCID": "0"},
    ],
)
def test_other_processes_than_were_told_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, surroundings: dict[str, str]
) -> None:
    """Each would train by itself in the same folder."""
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RunError) as caught:
        run_toy(tmp_path / "run", STEPS)
    assert_sentence(str(caught.value))
    assert "--devices" in str(caught.value) and not (tmp_path / "run").exists()


def test_a_shell_in_a_job_is_no_such_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLURM_NTASKS": "2", "SLURM_STEP_NUM_TASKS": "2", "SLURM_JOB_NAME": "bash"}.items():
        monkeypatch.setenv(name, value)
    assert run_toy(tmp_path, "budget.steps=2").ended == "done"


@pytest.mark.parametrize("script", [*SCRIPTS, ROOT / ".ci" / "run"], ids=lambda path: path.name)
def test_the_scripts_are_without_fault(script: Path) -> None:
    parts.needs("bash", "shellcheck")
    for command in (["bash", "-n"], ["shellcheck"]):
        done = subprocess.run([*command, str(script)], capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_there_are_scripts() -> None:
    assert [path.name for path in SCRIPTS] == ["cluster.sh", "one_node.sh", "several_nodes.sh"]
