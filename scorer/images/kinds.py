"""Identifies files that cannot be read as photographs, to give a precise reason."""

from io import BytesIO

from PIL import Image, TiffImagePlugin

from scorer.errors import BadImage
from scorer.images.encoded import Content

_HEAD = 512  # bytes that are examined
_MOST_BANDS = 4
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Offset, magic bytes, and name of the format.
_MARKS = (
    (0, b"GIF8", "GIF"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL \r\n", "JPEG XL"),
    (4, b"ftypavi", "AVIF"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftyphev", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftypmsf1", "HEIC"),
    (4, b"ftyp", "video"),
    (4, b"jP  \r\n", "JPEG 2000"),
    (0, b"8BPS", "Photoshop"),
    (0, b"%PDF", "PDF"),
    (0, b"v/1\x01", "OpenEXR"),
    (0, b"\x89HDF", "HDF5"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"SIMPLE  =", "FITS"),
    (128, b"DICM", "DICOM"),
    (0, b"\x93NUMPY", "NumPy"),
    (0, b"PK\x03\x04", "zip"),
    (0, b"FUJIFILMCCD-RAW", "camera raw"),
)
_POINTER = b"version https://git-lfs"


def reason(content: Content) -> BadImage:
    """The reason why Pillow cannot read a file."""
    head = _head(content)
    if not head:
        return BadImage("empty file")
    if head.startswith(_POINTER):
        return BadImage("Git LFS pointer", "fetch the image itself with git lfs pull")
    if head.startswith(_TIFF):
        return BadImage("TIFF of an unknown kind", _of_tiff(content))
    for place, mark, name in _MARKS:
        if head[place:].startswith(mark):
            return BadImage(f"{name} file", "convert it to PNG or JPEG")
    return BadImage("not an image")


def check(image: Image.Image) -> None:
    """Raise BadImage for more bands than colours and transparency, as red, green, blue are
    unknown.
    """
    bands = getattr(image, "tag_v2", {}).get(TiffImagePlugin.SAMPLESPERPIXEL, 1)
    if bands > _MOST_BANDS:
        raise BadImage(f"{bands} bands", "say which are red, green and blue, as in --bands 3,2,1")


def _head(content: Content) -> bytes:
    if isinstance(content, bytes):
        return content[:_HEAD]
    with content.open("rb") as file:
        return file.read(_HEAD)


def _of_tiff(content: Content) -> str:
    """Bands, bits and photometric interpretation of a TIFF, as far as readable."""
    file = BytesIO(content) if isinstance(content, bytes) else content.open("rb")
    with file:
        try:
            tags = TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
            file.seek(tags.next)
            tags.load(file)
        except Exception:  # the bytes may be anything
            return "its header is damaged"
        bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))[0]
        forms = {1: "unsigned", 2: "signed", 3: "float", 5: "complex", 6: "complex"}
        form = forms.get(tags.get(TiffImagePlugin.SAMPLEFORMAT, (1,))[0], "undefined")
        bands = tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1)
        photometric = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION)
        return (
            f"{bands} bands of {bits} {form} bits, photometric interpretation {photometric}; if "
            "it has several, say which are red, green and blue, as in --bands 3,2,1"
        )
