#!/usr/bin/env python3
"""Records a command in a terminal of 80 x 24 as an animated SVG: record.py FILE.svg SHOWN COMMAND [PERIOD]

SHOWN is the command line that the picture shows, COMMAND what a shell runs; a
frame is taken every PERIOD seconds. Needs tmux, which draws the screen; its
screens become the frames. contrib/recordings.sh makes the pictures of the documentation.
"""

import os
import re
import subprocess
import sys
import time
from html import escape

COLUMNS, ROWS = 80, 24
CELL, LINE, SIZE, PAD = 8.43, 18, 14, 12
LAST = 4.0
SOCKET = f"udpecho-recording-{os.getpid()}"
FOREGROUND, BACKGROUND = "#d4d4d4", "#1e1e1e"
BASE = ["#1e1e1e", "#f14c4c", "#23d18b", "#e5e510", "#3b8eea", "#d670d6", "#29b8db", "#d4d4d4"]
BRIGHT = ["#808080", *BASE[1:]]


def main() -> None:
    file, shown, command = sys.argv[1:4]
    frames = record(shown, command, float(sys.argv[4]) if len(sys.argv) > 4 else 0.5)
    with open(file, "w", encoding="utf-8") as out:
        out.write(svg(frames))


def tmux(*arguments: str) -> str:
    return subprocess.run(["tmux", "-L", SOCKET, *arguments], check=True, capture_output=True, text=True).stdout


def record(shown: str, command: str, period: float) -> list[tuple[float, list[str]]]:
    """Screens, each with the time for which it stayed."""
    done = "recording-done"
    line = f"printf '$ %s\\n' {quote(shown)}; {command}; tmux -L {SOCKET} wait-for -S {done}; sleep 60"
    tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), f"env COLUMNS={COLUMNS} sh -c {quote(line)}")
    tmux("set", "-g", "status", "off")
    waits = subprocess.Popen(["tmux", "-L", SOCKET, "wait-for", done])
    frames: list[tuple[float, list[str]]] = []
    try:
        over = False
        while not over:
            over = waits.poll() is not None
            screen = tmux("capture-pane", "-e", "-p").split("\n")[:ROWS]
            if frames and frames[-1][1] == screen:
                frames[-1] = (frames[-1][0] + period, screen)
            else:
                frames.append((period, screen))
            time.sleep(period)
    finally:
        tmux("kill-server")
    frames[-1] = (LAST, frames[-1][1])
    return frames


def quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def svg(frames: list[tuple[float, list[str]]]) -> str:
    width, height = COLUMNS * CELL + 2 * PAD, ROWS * LINE + 2 * PAD
    total = sum(length for length, _ in frames)
    lines: dict[str, int] = {}
    steps, groups, at = [], [], 0.0
    for index, (length, screen) in enumerate(frames):
        steps.append(f"{100 * at / total:.3f}%{{transform:translateX({-index * width:.1f}px)}}")
        at += length
        uses = []
        for row, line in enumerate(screen):
            if line.strip():
                number = lines.setdefault(line, len(lines))
                uses.append(f'<use href="#l{number}" y="{row * LINE}"/>')
        groups.append(f'<g transform="translate({index * width:.1f})">{"".join(uses)}</g>')
    drawn = "\n".join(f'<g id="l{number}">{runs(line)}</g>' for line, number in lines.items())
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.1f} {height}" width="{width:.1f}" height="{height}">
<style>text{{font:{SIZE}px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;white-space:pre;fill:{FOREGROUND}}}
#s{{animation:k {total:.1f}s steps(1,end) infinite}}@keyframes k{{{"".join(steps)}}}</style>
<rect width="100%" height="100%" rx="6" fill="{BACKGROUND}"/>
<defs>
{drawn}
</defs>
<svg x="{PAD}" y="{PAD}" width="{COLUMNS * CELL:.1f}" height="{ROWS * LINE}"><g id="s">
{chr(10).join(groups)}
</g></svg>
</svg>
"""


def runs(line: str) -> str:
    """One line of the screen: its runs of one colour, with backgrounds below."""
    style = {"fg": None, "bg": None, "bold": False, "inverse": False, "dim": False}
    below, texts, column = [], [], 0
    for part in re.split(r"(\x1b\[[0-9;]*m|\x0e|\x0f)", line):
        if part.startswith("\x1b["):
            apply(style, part[2:-1])
        elif part and part not in "\x0e\x0f":
            foreground, background = style["fg"] or FOREGROUND, style["bg"]
            if style["inverse"]:
                foreground, background = background or BACKGROUND, foreground
            x, width = column * CELL, len(part) * CELL
            if background:
                below.append(f'<rect x="{x:.1f}" width="{width:.1f}" height="{LINE}" fill="{background}"/>')
            if part.strip():
                more = "" if foreground == FOREGROUND else f' style="fill:{foreground}"'
                more += ' font-weight="bold"' if style["bold"] else ""
                more += ' opacity=".6"' if style["dim"] else ""
                fit = f'textLength="{width:.1f}" lengthAdjust="spacingAndGlyphs"'
                texts.append(f'<text x="{x:.1f}" y="{SIZE}" {fit}{more}>{escape(part)}</text>')
            column += len(part)
    return "".join(below + texts)


def apply(style: dict, codes: str) -> None:
    numbers = [int(code or 0) for code in codes.split(";")]
    while numbers:
        code = numbers.pop(0)
        if code == 0:
            style.update(fg=None, bg=None, bold=False, inverse=False, dim=False)
        elif code in (1, 2, 7):
            style[{1: "bold", 2: "dim", 7: "inverse"}[code]] = True
        elif code == 22:
            style.update(bold=False, dim=False)
        elif code == 27:
            style["inverse"] = False
        elif code in (38, 48):
            key = "fg" if code == 38 else "bg"
            if numbers.pop(0) == 5:
                style[key] = indexed(numbers.pop(0))
            else:
                style[key] = "#%02x%02x%02x" % tuple(numbers.pop(0) for _ in range(3))
        elif code in (39, 49):
            style["fg" if code == 39 else "bg"] = None
        elif 30 <= code <= 37 or 40 <= code <= 47:
            style["fg" if code < 40 else "bg"] = BASE[code % 10]
        elif 90 <= code <= 97 or 100 <= code <= 107:
            style["fg" if code < 100 else "bg"] = BRIGHT[code % 10]


def indexed(number: int) -> str:
    if number < 16:
        return (BASE + BRIGHT)[number]
    if number >= 232:
        grey = 8 + 10 * (number - 232)
        return f"#{grey:02x}{grey:02x}{grey:02x}"
    number -= 16
    levels = [0, 95, 135, 175, 215, 255]
    return f"#{levels[number // 36]:02x}{levels[number // 6 % 6]:02x}{levels[number % 6]:02x}"


main()
