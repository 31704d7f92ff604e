"""Shell completion for bash, zsh and fish, from the command line's own declaration."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from sensed.manual.model import Argument, Command


def bash(program: Command) -> str:
    """Return a bash completion script."""
    name = program.name
    deeper = [f'"{" ".join(command.path)}"' for command in program.walk() if command is not program]
    lines = [
        f"# bash completion for {name}: generated from the program itself.",
        f"_{name}() {{",
        "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}",
        f'    local path="{name}" word',
        '    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
        f'        case "$path $word" in {"|".join(deeper)}) path+=" $word" ;; esac',
        "    done",
        '    case "$path $prev" in',
    ]
    for command in program.walk():
        lines += [_bash_value(command, option) for option in command.options if option.takes_value]
    lines += ["    esac", '    case "$path" in']
    for command in program.walk():
        lines += _bash_words(command)
    lines += ["    esac", "}", f"complete -o filenames -F _{name} {name}"]
    return "\n".join(lines) + "\n"


def zsh(program: Command) -> str:
    """Return a zsh completion function."""
    lines = [f"#compdef {program.name}", "# Generated from the program itself.", ""]
    for command in program.walk():
        lines += [f"{_function(command)}() {{"]
        lines += list(_zsh_body(command))
        lines += ["}", ""]
    lines += [f'{_function(program)} "$@"']
    return "\n".join(lines) + "\n"


def fish(program: Command) -> str:
    """Return fish completions."""
    lines = [
        f"# fish completion for {program.name}: generated from the program itself.",
        f"complete -c {program.name} -f",
    ]
    for command in program.walk():
        seen = [f"__fish_seen_subcommand_from {name}" for name in command.path[1:]]
        others = " ".join(child.name for child in command.commands)
        if others:
            seen += [f"not __fish_seen_subcommand_from {others}"]
        here = f"complete -c {program.name}"
        if seen:
            here += f" -n {shlex.quote('; and '.join(seen))}"
        for child in command.commands:
            lines += [f"{here} -a {child.name} -d {_fish_text(child.summary)}"]
        for argument in command.arguments:
            if argument.choices:
                lines += [f"{here} -a {shlex.quote(' '.join(argument.choices))}"]
            elif argument.names_file:
                lines += [f"{here} -F"]
        lines += [_fish_option(here, option) for option in command.options]
    return "\n".join(lines) + "\n"


def _bash_value(command: Command, option: Argument) -> str:
    path = " ".join(command.path)
    pattern = "|".join(f'"{path} {flag}"' for flag in option.flags)
    reply = _compgen(option.choices, files=option.names_file)
    return f"        {pattern}) {reply}; return ;;"


def _bash_words(command: Command) -> Iterator[str]:
    flags = [flag for option in command.options for flag in option.flags]
    words = [child.name for child in command.commands]
    words += [word for argument in command.arguments for word in argument.choices]
    files = any(argument.names_file for argument in command.arguments)
    yield f'        "{" ".join(command.path)}")'
    yield "            if [[ $cur == -* ]]; then"
    yield f"                {_compgen(flags)}"
    yield "            else"
    yield f"                {_compgen(words, files=files)}"
    yield "            fi ;;"


def _compgen(words: Sequence[str], *, files: bool = False) -> str:
    offered = f"{'-f ' if files else ''}-W {shlex.quote(' '.join(words))}"
    return f'mapfile -t COMPREPLY < <(compgen {offered} -- "$cur")'


def _zsh_body(command: Command) -> Iterator[str]:
    specs = [_zsh_option(option) for option in command.options]
    for argument in command.arguments:
        specs += [shlex.quote(f"*:{_zsh_text(argument.metavar.lower())}:{_zsh_action(argument)}")]
    if not command.commands:
        yield "    _arguments -s " + " ".join(specs)
        return
    yield "    local state line"
    yield "    local -a commands=("
    for child in command.commands:
        yield f"        {shlex.quote(f'{child.name}:{_zsh_text(child.summary)}')}"
    yield "    )"
    yield f"    _arguments -s -C {' '.join(specs)} '1: :->command' '*:: :->rest'"
    yield "    case $state in"
    yield "        command) _describe command commands ;;"
    yield "        rest) case $words[1] in"
    for child in command.commands:
        yield f"            {child.name}) {_function(child)} ;;"
    yield "        esac ;;"
    yield "    esac"


def _function(command: Command) -> str:
    return "_" + "_".join(command.path).replace("-", "_")


def _zsh_option(option: Argument) -> str:
    value = (
        f":{_zsh_text(option.metavar.lower())}:{_zsh_action(option)}" if option.takes_value else ""
    )
    about = f"[{_zsh_text(option.help)}]{value}"
    if len(option.flags) == 1:
        return shlex.quote(option.flags[0] + about)
    together = " ".join(option.flags)
    return f"{shlex.quote(f'({together})')}{{{','.join(option.flags)}}}{shlex.quote(about)}"


def _zsh_action(argument: Argument) -> str:
    if argument.choices:
        return f"({' '.join(argument.choices)})"
    return "_files" if argument.names_file else " "


def _zsh_text(words: str) -> str:
    escaped = words
    for character in "\\[]:":
        escaped = escaped.replace(character, "\\" + character)
    return escaped


def _fish_option(here: str, option: Argument) -> str:
    words = [here]
    for flag in option.flags:
        words += [f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"]
    if option.takes_value:
        words += ["-r"]
        if option.choices:
            words += [f"-a {shlex.quote(' '.join(option.choices))}"]
        elif option.names_file:
            words += ["-F"]
    return " ".join([*words, f"-d {_fish_text(option.help)}"])


def _fish_text(words: str) -> str:
    # fish knows \\ and \' within single quotes, but not the shell's '"'"'.
    escaped = words.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
