"""Checks where label files may be written, and lists those of a folder."""

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
    """Raise BadLabels if an export would replace files, or two images would share one."""
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
    """Raise BadLabels if two images would share a file."""
    taken: dict[str, str] = {}
    for image in sorted(images):
        other = taken.setdefault(file_name(image), image)
        if other != image:
            raise BadLabels(
                f"{other} and {image} would both be written to {file_name(image)}",
                remedy="rename one",
            )


def check_free(folder: Path, names: Iterable[str]) -> None:
    """Raise BadLabels if a file exists, which may be labels that were not imported, or a
    photograph.
    """
    for name in sorted(names):
        if (folder / name).exists():
            raise BadLabels(
                f"{folder / name} is there already",
                remedy="choose another --out, or import these labels first with: scorer "
                "labels import",
            )


def files(path: Path, suffix: str) -> Iterator[tuple[Path, str]]:
    """Yield the files of a format with their paths below the folder; `path` may be a single file.

    Raises BadInput if there are none.
    """
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
