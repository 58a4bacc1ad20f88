"""Shell completion of verbs, groups, options and settings, read from the yaml files."""

from __future__ import annotations

import re

from projhead.commands.conf import groups_of
from projhead.settings.options import conf_dir, options_of

#: ``eval "$(projhead --completion bash)"``, or zsh; ``projhead --completion fish | source``.
#: Bash takes ``=`` for the end of a word: only what follows is completed.
SCRIPTS = {
    "bash": """\
_projhead() {
    mapfile -t COMPREPLY < <(projhead --complete "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
}
complete -o default -F _projhead projhead
""",
    "zsh": """\
_projhead() {
    local -a found=("${(@f)$(projhead --complete "${BUFFER[1,CURSOR]}" 2>/dev/null)}")
    compset -P '*='
    compadd -S '' -- ${found:#}
}
compdef _projhead projhead
""",
    "fish": """\
function __projhead
    set -l typed (string match -r '^.*=' -- (commandline -ct))
    projhead --complete (commandline -cp) 2>/dev/null | string replace -r '^' "$typed"
end
complete -c projhead -f -a '(__projhead)'
""",
}
_KEY = re.compile(r"([a-z]\w*):")


def candidates(line: str, verbs: list[str]) -> list[str]:
    """Return what may stand where a command line ends.

    Parameters
    ----------
    line : str
        All that was typed, ``projhead`` first.
    verbs : list of str
    """
    _, *words = line.split(" ")
    done, word = [one for one in words[:-1] if one], words[-1] if words else ""
    if not done:
        return [verb for verb in verbs if verb.startswith(word)]
    if done[0] not in verbs:
        return []
    group, equals, started = word.partition("=")
    if equals:
        return [option for option in options_of(group.partition("@")[0]) if option.startswith(started)]
    return [f"{name}=" for name in _names(done[0]) if name.startswith(word)]


def _names(verb: str) -> list[str]:
    lines = (conf_dir() / f"{verb}.yaml").read_text(encoding="utf-8").splitlines()
    keys = [found[1] for line in lines if (found := _KEY.match(line)) and found[1] != "defaults"]
    return list(dict.fromkeys([name for name, _, _ in groups_of(verb)] + keys))
