"""Where files of labels may be written, and which of them a folder holds."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from scorer.errors import BadInput, BadLabels


def check(
    path: Path,
    kind: str,
    suffix: str,
    file_name: Callable[[str], str] | None,
    images: Iterable[str],
) -> None:
    """Refuse a place of an export where something is already, or two images would share a file."""
    if file_name is not None:
        if path.is_file():
            raise BadLabels(f"{path} is a file", remedy=f"{kind} needs a folder as --out")
        _check_apart(images, file_name)
        check_free(path, {file_name(image) for image in images})
    elif path.is_dir():
        raise BadLabels(f"{path} is a folder", remedy=f"give --out a name such as labels{suffix}")
    else:
        check_free(path.parent, {path.name})


def _check_apart(images: Iterable[str], file_name: Callable[[str], str]) -> None:
    """Refuse two images that would share a file."""
    taken: dict[str, str] = {}
    for image in sorted(images):
        other = taken.setdefault(file_name(image), image)
        if other != image:
            raise BadLabels(
                f"{other} and {image} would both be written to {file_name(image)}",
                remedy="rename one",
            )


def check_free(folder: Path, names: Iterable[str]) -> None:
    """Refuse to replace what may be labels that nobody has imported, or the photographs."""
    for name in sorted(names):
        if (folder / name).exists():
            raise BadLabels(
                f"{folder / name} is there already",
                remedy="choose another --out, or import these labels first with: scorer "
                "labels import",
            )


def files(path: Path, suffix: str) -> Iterator[tuple[Path, str]]:
    """The files of a format and their paths below the folder; a file alone is its own."""
    if path.is_file():
        yield path, path.name
        return
    found = [
        file
        for file in sorted(path.rglob(f"*{suffix}"))
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]
    if not found:
        raise BadInput(
            f"{path} holds no {suffix} files" if path.is_dir() else f"{path} does not exist",
            remedy="give the file or the folder that the annotation tool exported",
        )
    for file in found:
        yield file, file.relative_to(path).as_posix()
