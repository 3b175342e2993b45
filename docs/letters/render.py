"""Renders characters that people confuse, from the fonts of this machine, into an image folder.

For docs/letters.md; it does not use Borderline::

    python docs/letters/render.py --to letters --characters O 0

Each font draws each text several times, at another size, angle and place, in another ink, with blur
and noise. A fifth of the families are for tests only, so that no test image is of a font that the
reader has seen. ``metadata.csv`` has the properties of each image's font.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import logging
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fontTools.pens.areaPen import AreaPen
from fontTools.ttLib import TTFont, TTLibError
from PIL import Image, ImageDraw, ImageFilter, ImageFont

FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts", "C:/Windows/Fonts")
TEST_SHARE = 0.2
# Some families have a hundred weights and widths, which would fill the test images.
MOST_OF_A_FAMILY = 12
# Paper and ink in RGB; drawn colours differ from these a little.
PAPERS = ((250, 248, 240), (236, 224, 198), (214, 222, 230), (242, 226, 226), (205, 196, 180))
INKS = ((20, 20, 24), (22, 38, 110), (120, 22, 30), (18, 78, 48), (84, 56, 32))


@dataclass(frozen=True)
class Font:
    """A font file, and what it says of itself."""

    path: Path
    family: str
    weight: int
    italic: bool
    monospaced: bool

    @property
    def subset(self) -> str:
        """``test`` for a fifth of the families, ``train`` for the others."""
        digest = hashlib.sha256(self.family.encode()).digest()
        return "test" if digest[0] / 256 < TEST_SHARE else "train"


def main() -> None:
    """Render all images and their table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--to", type=Path, required=True, help="the folder to write; a new one")
    parser.add_argument("--characters", nargs="+", required=True, help="two or more texts: O 0")
    parser.add_argument("--size", default="64", help="side in pixels, or height x width: 32x64")
    parser.add_argument("--variants", type=int, default=6, help="images of each font and text")
    parser.add_argument("--coloured", action="store_true", help="coloured ink on coloured paper")
    parser.add_argument("--fonts", type=Path, nargs="+", help="folders; by default the system's")
    options = parser.parse_args()
    if options.to.exists():
        sys.exit(f"{options.to} exists: name a new folder, or remove it.")
    height, width = _size(options.size)
    fonts = list(find_fonts(options.fonts or [Path(f) for f in FOLDERS], options.characters))
    if len({font.family for font in fonts}) < 10:
        sys.exit(f"Only {len(fonts)} fonts have these characters: install more (docs/letters.md).")
    random = np.random.default_rng(0)
    rows = []
    for number, font in enumerate(fonts):
        for text in options.characters:
            for variant in range(options.variants):
                image, properties = render(font, text, height, width, options.coloured, random)
                name = f"{font.subset}/{text}/{number:04d}_{font.path.stem}_{variant}.png"
                (options.to / name).parent.mkdir(parents=True, exist_ok=True)
                image.save(options.to / name)
                rows.append({"file_name": name, **describe(font), **properties})
    with (options.to / "metadata.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    families = {font.family for font in fonts}
    print(f"{len(rows)} images from {len(fonts)} fonts of {len(families)} families: {options.to}")


def find_fonts(folders: Sequence[Path], texts: Sequence[str]) -> Iterator[Font]:
    """The fonts that draw every character of the texts, no font twice, in order of their paths."""
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    needed = {ord(character) for text in texts for character in text}
    seen: set[tuple[str, str]] = set()
    of_families: Counter[str] = Counter()
    for path in sorted(p for f in folders for p in f.rglob("*") if p.suffix in (".ttf", ".otf")):
        try:
            with TTFont(path, lazy=True) as font:
                names, glyphs = font["name"], font.getBestCmap() or {}
                of_family = names.getBestFamilyName() or path.stem
                key = of_family, names.getBestSubFamilyName() or ""
                if key in seen or of_families[of_family] == MOST_OF_A_FAMILY:
                    continue
                if not needed <= glyphs.keys() or _is_blank(font, glyphs, needed):
                    continue
                seen.add(key)
                of_families[of_family] += 1
                slant = font["post"].italicAngle != 0 or bool(font["OS/2"].fsSelection & 1)
                weight, fixed = font["OS/2"].usWeightClass, bool(font["post"].isFixedPitch)
        except (TTLibError, KeyError, AttributeError, AssertionError):
            # Bitmap fonts and damaged files.
            continue
        yield Font(path, of_family, weight, slant, fixed)


def _is_blank(font: TTFont, glyphs: dict[int, str], needed: set[int]) -> bool:
    """Whether the font has a glyph without an area, as fonts of symbols have."""
    outlines = font.getGlyphSet()
    for character in needed:
        pen = AreaPen(outlines)
        outlines[glyphs[character]].draw(pen)
        if pen.value == 0:
            return True
    return False


def describe(font: Font) -> dict[str, str | int | bool]:
    """The columns of a font."""
    return {
        "family": font.family,
        "weight": font.weight,
        "italic": font.italic,
        "monospaced": font.monospaced,
    }


def render(
    font: Font, text: str, height: int, width: int, coloured: bool, random: np.random.Generator
) -> tuple[Image.Image, dict[str, float]]:
    """An image of a text, drawn at four times its size, and the columns of the image."""
    size, angle, blur = random.uniform(0.7, 1.0), random.uniform(-4, 4), random.uniform(0, 1)
    mask = Image.new("L", (4 * width, 4 * height))
    face = ImageFont.truetype(font.path, round(4 * height * size))
    left, top, right, bottom = face.getbbox(text)
    # Wide fonts are drawn smaller, so that no letter is cut.
    fitting = min(1.0, 3.6 * width / max(right - left, 1), 3.6 * height / max(bottom - top, 1))
    if fitting < 1:
        face = face.font_variant(size=int(face.size * fitting))
        left, top, right, bottom = face.getbbox(text)
    shift = random.uniform(-0.06, 0.06, 2) * (4 * width, 4 * height)
    x = (4 * width - right - left) / 2 + shift[0]
    y = (4 * height - bottom - top) / 2 + shift[1]
    ImageDraw.Draw(mask).text((x, y), text, 255, face)
    mask = mask.rotate(angle, Image.Resampling.BICUBIC).resize((width, height))
    ink = np.asarray(mask.filter(ImageFilter.GaussianBlur(blur)))[..., None] / 255
    paper_colour, ink_colour = _colours(coloured, random)
    pixels = paper_colour * (1 - ink) + ink_colour * ink
    pixels = pixels + _grain(height, width, random) + random.normal(0, 4, pixels.shape)
    values = pixels.clip(0, 255).round().astype(np.uint8)
    image = Image.fromarray(values if coloured else values[..., 0])
    return image, {"size": round(size, 2), "angle": round(angle, 1), "blur": round(blur, 2)}


def _colours(coloured: bool, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Colours of paper and ink, three channels or one."""
    if coloured:
        paper, ink = random.choice(PAPERS), random.choice(INKS)
        return paper + random.normal(0, 6, 3), ink + random.normal(0, 10, 3)
    return random.uniform(205, 255, 1), random.uniform(0, 70, 1)


def _grain(height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Light and dark stains of the paper, one channel."""
    stains = Image.fromarray(random.normal(0, 5, (4, 4)).astype(np.float32))
    return np.asarray(stains.resize((width, height), Image.Resampling.BICUBIC))[..., None]


def _size(text: str) -> tuple[int, int]:
    """Height and width from ``64`` or ``32x64``."""
    try:
        sides = [int(side) for side in text.split("x")]
    except ValueError:
        sides = []
    if len(sides) not in (1, 2) or min(sides, default=0) < 8:
        sys.exit(f"--size is {text}: write a side in pixels from 8, or height x width, as 32x64.")
    return sides[0], sides[-1]


if __name__ == "__main__":
    main()
