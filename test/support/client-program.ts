/**
 * Runs a console script of Debian's Python packages for each line of standard input, in a fork of a process that has
 * imported it already, with every plugin whose group begins as told: importing takes ten times as long as most commands.
 * A line is JSON with `id`, `args`, `env`, and the files `out` and `err` for what the command writes; `{"id", "code"}` is
 * printed when it has ended. Standard input is a terminal for the command, at which nobody types. Ends when its own
 * standard input does.
 */
export const clientProgram = `
import importlib, importlib.metadata, json, os, signal, sys, traceback

command, seconds, groups, modules = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]
points = [
    point for distribution in importlib.metadata.distributions()
    for point in distribution.entry_points]
main = next(
    point.load() for point in points
    if point.group == "console_scripts" and point.name == command)
for module in modules:
    importlib.import_module(module)
for point in points:
    if groups and point.group.startswith(groups):
        try:
            point.load()
        except Exception:
            pass  # for a service whose client is not installed

def run(asked):
    os.environ.clear()
    os.environ.update(asked["env"])
    os.dup2(os.openpty()[1], 0)
    sys.stdin = open(0, closefd=False)
    for number, file in ((1, asked["out"]), (2, asked["err"])):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = [command, *asked["args"]]
    signal.alarm(seconds)
    try:
        code = main()
    except SystemExit as exit:
        code = exit.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)

# Children are not waited for here: each waits for the command that it runs, and tells.
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin.buffer:
    if os.fork() != 0:
        continue
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asked = json.loads(line)
    pid = os.fork()
    if pid == 0:
        run(asked)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.write(1, (json.dumps({"id": asked["id"], "code": code}) + "\\n").encode())
    os._exit(0)
`;
