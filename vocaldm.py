"""The launcher: sets the project up on the first call, then runs `vocaldm` with every argument.

    python3 vocaldm.py demo          set up if needed, then the command
    python3 vocaldm.py test [ARGS]   set up with the test tools too, then pytest with ARGS

Only the standard library is used. The file still parses on Pythons that are too old to run the
project (hence no f-strings and no type hints), so that they get a sentence and not a syntax error.
Everything said here goes to stderr: stdout belongs to the command, which may print JSON.
"""

import errno
import hashlib
import json
import os
import re
import sys
import time

OLDEST_PYTHON = (3, 10)
OLDEST_WITH_GOOD_PIP = (3, 10, 3)  # before, the pip that comes with Python installs nothing editable
LAYOUT = "1"  # raise it when an environment made by an older launcher can't be brought up to date
USUAL_EXTRAS, TRAY_EXTRAS = ("panel",), ("panel", "tray")  # by the first word; what was installed stays
TEST_EXTRAS = (*TRAY_EXTRAS, "dev", "training", "cluster")
STAMP, LOG, LOCK = "vocaldm-setup.json", "vocaldm-setup.log", "vocaldm-setup.lock"
ON_WINDOWS = os.name == "nt"

# What a failed step's output shows and what to do then; the first that fits. Without a network pip ends
# with `No matching distribution found`, so the cause, which stands further up, has to come first.
ADVICE = (
    (
        r"NewConnectionError|Failed to establish a new connection|NameResolutionError|getaddrinfo failed|"
        r"[Nn]ame resolution|Name or service not known|nodename nor servname|Network is unreachable|"
        r"No route to host|ConnectTimeoutError|ReadTimeoutError|[Rr]ead timed out|ProxyError|"
        r"Cannot connect to proxy|Connection (refused|reset|aborted)|SSLError",
        "The package index could not be reached: "
        "connect to the network (or set your proxy) and run the same command again.",
    ),
    (
        r"No space left on device|not enough space on the disk",
        "The disk is full: free about 8 GB, or put the environment elsewhere with VOCALDM_VENV.",
    ),
    (
        r"ensurepip|No module named venv",
        "This Python has no venv module: install it (Debian and Ubuntu: apt install python3-venv).",
    ),
    (
        r"Permission denied|Access is denied",
        "A folder can't be written: make the project's folder writable, "
        "or choose another one for the environment with VOCALDM_VENV.",
    ),
    (
        r"No matching distribution found",
        "A package has no build for this Python and system: "
        "use a 64-bit Python 3.10 to 3.13, and on a Mac one with Apple silicon.",
    ),
    (r"", "Run the same command again; if it fails in the same way, the log says more."),
)


class SetupError(Exception):
    """One sentence: what is wrong and what to do."""


def say(sentence):
    """Write one line for people to stderr."""
    print(sentence, file=sys.stderr, flush=True)


def too_old(version):
    """A sentence when this Python (a version tuple) can't run the project, else None."""
    if tuple(version[:2]) >= OLDEST_PYTHON:
        return None
    return (
        "VocalDM Live needs Python 3.10 or later and this is Python {0}.{1}: "
        "install a newer one, then start vocaldm.py with it."
    ).format(*version[:2])


def venv_folder(root, environ):
    """The environment's folder: VOCALDM_VENV, or .venv beside this file."""
    chosen = environ.get("VOCALDM_VENV") or os.path.join(root, ".venv")
    return os.path.abspath(os.path.expanduser(chosen))


def venv_program(venv, name):
    """A program inside the environment: `python` or `vocaldm`."""
    return os.path.join(venv, "Scripts", name + ".exe") if ON_WINDOWS else os.path.join(venv, "bin", name)


def site_packages(venv, version):
    """The folder with the environment's packages; version is the interpreter's version tuple."""
    if ON_WINDOWS:
        return os.path.join(venv, "Lib", "site-packages")
    return os.path.join(venv, "lib", "python{0}.{1}".format(*version[:2]), "site-packages")


# The stamp: what the environment was made from, and whether it was finished


def digest(*parts):
    """A short hash of texts and bytes, each kept apart from its neighbours."""
    total = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogateescape")
        total.update("{0}:".format(len(data)).encode("ascii"))
        total.update(data)
    return total.hexdigest()


def place_hash(root, venv, version):
    """Hash of what ties an environment to its spot; scripts inside hold absolute paths."""
    return digest(LAYOUT, os.path.abspath(root), os.path.abspath(venv), "{0}.{1}".format(*version[:2]))


def wanted_hash(root):
    """Hash of the files that say which packages belong into the environment."""
    parts = []
    for name in ("pyproject.toml", "constraints.txt"):
        with open(os.path.join(root, name), "rb") as file:
            parts.append(file.read())
    return digest(*parts)


def read_stamp(venv):
    """The stamp as a dict; empty when there is none or it can't be read."""
    try:
        with open(os.path.join(venv, STAMP), "r", encoding="utf-8") as file:
            stamp = json.load(file)
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(venv, state, place, wanted, extras):
    """Replace the stamp at once; state is `installing`, `failed` or `done`."""
    path = os.path.join(venv, STAMP)
    stamp = {"state": state, "place": place, "wanted": wanted, "extras": sorted(extras)}
    with open(path + ".part", "w", encoding="utf-8") as file:
        file.write(json.dumps(stamp, indent=1) + "\n")
    os.replace(path + ".part", path)


def work_needed(stamp, place, wanted, extras, venv):
    """What set-up has to do: `nothing`, `install` (into what is there) or `everything` (from scratch).

    `installing` is what a set-up that was killed leaves behind. Packages may be half unpacked then,
    so nothing in there is believed. After `failed` pip itself gave up, and pip leaves no halves.
    An interpreter that is gone (its Python was upgraded away) makes all the rest useless.
    """
    believed = stamp.get("place") == place and stamp.get("state") in ("done", "failed")
    if not believed or not os.path.exists(venv_program(venv, "python")):
        return "everything"
    complete = stamp["state"] == "done" and os.path.exists(venv_program(venv, "vocaldm"))
    if complete and stamp.get("wanted") == wanted and set(extras) <= set(stamp.get("extras", ())):
        return "nothing"
    return "install"


# torchaudio beside a torch without CUDA


def torch_is_cpu_only(packages):
    """True when the torch in this site-packages folder was built without CUDA; reads, never imports."""
    try:
        with open(os.path.join(packages, "torch", "version.py"), "r", encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return False
    found = re.search(r"^cuda\b[^=\n]*=\s*(\S+)", text, re.MULTILINE)
    return found is not None and found.group(1) == "None"


def repair_torchaudio(packages):
    """Remove torchaudio's optional compiled parts where the torch beside it has no CUDA.

    They link CUDA libraries, so there `import torchaudio` fails, also for libraries that only look whether
    it is there. Without them torchaudio imports and does all that is needed. Returns the names removed.
    """
    folder = os.path.join(packages, "torchaudio", "lib")
    if not torch_is_cpu_only(packages) or not os.path.isdir(folder):
        return []
    removed = sorted(name for name in os.listdir(folder) if name.endswith(".so"))
    for name in removed:
        os.remove(os.path.join(folder, name))
    return removed


def pip_environment(environ):
    """The environment variables for pip: the caller's, less what would make it look or write elsewhere."""
    unwanted = ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT")
    kept = {name: value for name, value in environ.items() if name not in unwanted}
    kept.update({"PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    return kept


def advice(output):
    """One sentence of what to do about a failed step, judged by all that it printed."""
    return next(sentence for signs, sentence in ADVICE if re.search(signs, output))


def run_logged(command, log, folder, environ):
    """Run one set-up step with its output appended to the log; returns (exit code, its output)."""
    import subprocess

    with open(log, "ab") as file:
        file.write(("$ " + " ".join(command) + "\n").encode("utf-8", "replace"))
        file.flush()
        start = file.tell()
        with open(os.devnull, "rb") as silence:
            code = subprocess.call(
                command,
                cwd=folder,
                env=environ,
                stdin=silence,
                stdout=file,
                stderr=subprocess.STDOUT,
                close_fds=ON_WINDOWS,  # the step holds the lock too, and goes on holding it if we die
            )
    with open(log, "rb") as file:
        file.seek(start)
        return code, file.read().decode("utf-8", "replace")


# Set-up


def claim(venv):
    """Make the environment's folder, refusing one that holds somebody else's files."""
    if os.path.isdir(venv):
        names = set(os.listdir(venv))
        if names and not names & {STAMP, LOCK}:
            raise SetupError(
                "{0} exists and was not made by this launcher: move it away, "
                "or set VOCALDM_VENV to a folder that is new or empty.".format(venv)
            )
    else:
        os.makedirs(venv)


def lock(venv):
    """Hold the environment until this process and its steps have ended, however they end: the open file."""
    file = open(os.path.join(venv, LOCK), "a+b")
    said = False
    while True:
        try:
            if ON_WINDOWS:
                import msvcrt

                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                os.set_inheritable(file.fileno(), True)
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except OSError as problem:
            if problem.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                raise
        if not said:
            say("VocalDM Live: another set-up is under way; waiting for it.")
        said = True
        time.sleep(0.5)


def clear(venv):
    """Empty the environment's folder, all but this launcher's own files."""
    import shutil

    for name in os.listdir(venv):
        path = os.path.join(venv, name)
        if name not in (STAMP, LOG, LOCK):
            remove = shutil.rmtree if os.path.isdir(path) and not os.path.islink(path) else os.remove
            remove(path)


def set_up(root, venv, extras, version, run=run_logged):
    """Bring the environment to what the project asks for; raises SetupError with what to do.

    Safe to call again after anything: the stamp says `done` only once the last step is through.
    `run` is the function that runs a step, with run_logged's arguments and result.
    """
    claim(venv)
    held = lock(venv)
    try:
        place, wanted = place_hash(root, venv, version), wanted_hash(root)
        stamp = read_stamp(venv)
        work = work_needed(stamp, place, wanted, extras, venv)
        if work == "nothing":  # another process did it while we waited
            return
        extras = set(extras) | set(stamp.get("extras", ()))
        write_stamp(venv, "installing", place, wanted, extras)
        step = step_runner(root, os.path.join(venv, LOG), run)
        if work == "install":
            say("VocalDM Live: bringing {0} up to date.".format(venv))
        else:
            say("VocalDM Live: setting up in {0} (once; some minutes, mostly downloads).".format(venv))
            clear(venv)
            base = getattr(sys, "_base_executable", None) or sys.executable
            step("a Python environment", [base, "-I", "-m", "venv", venv])
        try:
            install(venv, extras, version, step)
        except SetupError:
            write_stamp(venv, "failed", place, wanted, extras)
            raise
        write_stamp(venv, "done", place, wanted, extras)
        say("VocalDM Live: ready.")
    finally:
        held.close()


def step_runner(root, log, run):
    """A function that tells a step in a line, runs it, and raises SetupError when it fails."""
    environ = pip_environment(os.environ)

    def step(line, command):
        say("  " + line)
        code, output = run(command, log, root, environ)
        if code == 0:
            return
        last = [text for text in output.splitlines() if text.strip()][-12:]
        say("\n".join("    " + text for text in last))
        raise SetupError("Set-up failed. {0} (Log: {1})".format(advice(output), log))

    return step


def install(venv, extras, version, step):
    """Install into an environment that exists; `step` is what step_runner returns."""
    packages = site_packages(venv, version)
    pip = [venv_program(venv, "python"), "-I", "-m", "pip", "install"]
    if tuple(version[:3]) < OLDEST_WITH_GOOD_PIP:
        step("a newer pip", pip + ["--upgrade", "pip"])
    names = ",".join(sorted(extras))
    step(
        "the project and its packages" + (" with {0}".format(names) if names else ""),
        pip + ["-c", "constraints.txt", "-e", ".[{0}]".format(names) if names else "."],
    )
    # Last and without its dependencies: it must take the torch that is there, not bring its own.
    step("torchaudio", pip + ["-c", "constraints.txt", "--no-deps", "torchaudio"])
    if repair_torchaudio(packages):
        say("  (torchaudio's CUDA parts removed: the torch beside it has no CUDA)")


def extras_for(arguments):
    """The extras of pyproject.toml that a command needs: the tray's windows are large and not for everybody."""
    return {"test": TEST_EXTRAS, "tray": TRAY_EXTRAS}.get(arguments[0] if arguments else "", USUAL_EXTRAS)


def command_line(venv, arguments):
    """The command that the launcher becomes: pytest for `test`, else `vocaldm` with all arguments."""
    if arguments[:1] == ["test"]:
        return [venv_program(venv, "python"), "-m", "pytest"] + arguments[1:]
    if ON_WINDOWS:
        return [venv_program(venv, "vocaldm")] + arguments
    # Through the interpreter: the kernel limits the length of a script's first line.
    return [venv_program(venv, "python"), venv_program(venv, "vocaldm")] + arguments


def become(command):
    """Replace this process by the command; on Windows run it and return its exit code."""
    # Waiting OpenMP threads that spin take the cores from the audio callback and from one another.
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    if not ON_WINDOWS:
        os.execv(command[0], command)
    import subprocess

    try:
        return subprocess.call(command)
    except KeyboardInterrupt:
        return 130


def main(arguments):
    """Set up if needed and run; returns the exit code where the process was not replaced."""
    if too_old(sys.version_info):
        return say(too_old(sys.version_info)) or 1
    root = os.path.dirname(os.path.abspath(__file__))
    venv = venv_folder(root, os.environ)
    extras, version = extras_for(arguments), sys.version_info
    try:
        place, wanted = place_hash(root, venv, version), wanted_hash(root)
        if work_needed(read_stamp(venv), place, wanted, extras, venv) != "nothing":
            set_up(root, venv, extras, version)
    except SetupError as problem:
        say("vocaldm: {0}".format(problem))
        return 1
    except OSError as problem:
        say("vocaldm: set-up failed ({0}): put this right and run the same command again.".format(problem))
        return 1
    except KeyboardInterrupt:
        say("vocaldm: set-up was interrupted; the next call does it again.")
        return 130
    if arguments[:1] == ["test"]:
        os.chdir(root)  # pytest takes its settings and the tests from there
    return become(command_line(venv, arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
