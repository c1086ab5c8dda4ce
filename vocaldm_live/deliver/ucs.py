"""UCS: file names of the Universal Category System.

The form is `CatID[-UserCategory]_FXName_CreatorID_SourceID[_UserData].wav`.

Source: Universal Category System, version 8.2.1, full list and file name rules (universalcategorysystem.com).
CatIDs are case-exact; `_` parts the fields and `-` the user category, so neither may stand inside a field;
an FXName stays under 25 characters. Names made here are plain ASCII letters, digits and single spaces,
because they travel as OSC strings, which are ASCII; the full title is in the file's metadata.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, fields

from vocaldm_live.errors import RequestError

LONGEST_FX_NAME = 24
LONGEST_FIELD = 24
DEFAULT_CAT_ID = "DSGNSynth"
DEFAULT_FX_NAME = "Clip"
DEFAULT_CREATOR_ID = "VDM"
DEFAULT_SOURCE_ID = "VocalDM"


@dataclass(frozen=True)
class Category:
    """One line of the UCS list: the CatID and the two names it stands for."""

    cat_id: str
    category: str
    subcategory: str


# The lines of UCS 8.2.1 that the sounds of this project fall into; any other CatID of the list may be given.
CATEGORIES: tuple[Category, ...] = (
    Category("AIRHiss", "AIR", "HISS"),
    Category("ANMLInsc", "ANIMALS", "INSECT"),
    Category("BEEP", "BEEPS", "GENERAL"),
    Category("BELLMisc", "BELLS", "MISC"),
    Category("BIRDSong", "BIRDS", "SONGBIRD"),
    Category("CREAMisc", "CREATURES", "MISC"),
    Category("CREAMnstr", "CREATURES", "MONSTER"),
    Category("DSGNBoom", "DESIGNED", "BOOM"),
    Category("DSGNDron", "DESIGNED", "DRONE"),
    Category("DSGNGran", "DESIGNED", "GRANULAR"),
    Category("DSGNImpt", "DESIGNED", "IMPACT"),
    Category("DSGNMisc", "DESIGNED", "MISC"),
    Category("DSGNRise", "DESIGNED", "RISER"),
    Category("DSGNRmbl", "DESIGNED", "RUMBLE"),
    Category("DSGNSynth", "DESIGNED", "SYNTHETIC"),
    Category("DSGNTonl", "DESIGNED", "TONAL"),
    Category("DSGNWhsh", "DESIGNED", "WHOOSH"),
    Category("ELECArc", "ELECTRICITY", "ARC"),
    Category("ELECZap", "ELECTRICITY", "ZAP"),
    Category("EXPLDsgn", "EXPLOSIONS", "DESIGNED"),
    Category("FIRECrkl", "FIRE", "CRACKLE"),
    Category("FIREMisc", "FIRE", "MISC"),
    Category("GLASImpt", "GLASS", "IMPACT"),
    Category("LASRGun", "LASERS", "GUN"),
    Category("LASRMisc", "LASERS", "MISC"),
    Category("MACHMisc", "MACHINES", "MISC"),
    Category("MECHClik", "MECHANICAL", "CLICK"),
    Category("METLImpt", "METAL", "IMPACT"),
    Category("MOTRComb", "MOTORS", "COMBUSTION"),
    Category("MOTRElec", "MOTORS", "ELECTRIC"),
    Category("RAIN", "RAIN", "GENERAL"),
    Category("ROBTMisc", "ROBOTS", "MISC"),
    Category("SWSH", "SWOOSHES", "SWISH"),
    Category("WATRMisc", "WATER", "MISC"),
    Category("WATRSplsh", "WATER", "SPLASH"),
    Category("WHSH", "SWOOSHES", "WHOOSH"),
    Category("WIND", "WIND", "GENERAL"),
    Category("WOODImpt", "WOOD", "IMPACT"),
)

# In the full list a CatID is 2 to 11 characters: capitals for the category, then the subcategory.
_CAT_ID = re.compile(r"(?=.{2,11}\Z)[A-Z]{2,}[A-Za-z0-9]*")
_FIELD = re.compile(r"[A-Za-z0-9]+(?: [A-Za-z0-9]+)*")
# Latin letters that Unicode does not take apart into a base and an accent.
_SPELT_OUT = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D"}
    | {"ł": "l", "Ł": "L", "þ": "th", "Þ": "Th", "ı": "i"}
)
_OTHER = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True)
class UcsName:
    """The fields of a UCS file name; raises RequestError when one of them breaks a rule of the system."""

    cat_id: str
    fx_name: str
    creator_id: str
    source_id: str
    user_category: str = ""
    user_data: str = ""

    def __post_init__(self) -> None:
        check_cat_id(self.cat_id)
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            optional = field.name in ("user_category", "user_data")
            longest = LONGEST_FX_NAME if field.name == "fx_name" else LONGEST_FIELD
            if not (optional and value == "") and (len(value) > longest or not _FIELD.fullmatch(value)):
                raise RequestError(
                    f"The {field.name} {value!r} does not fit a UCS file name: "
                    f"use 1 to {longest} letters and digits with single spaces between them."
                )

    @property
    def stem(self) -> str:
        """The file name without its ending."""
        head = f"{self.cat_id}-{self.user_category}" if self.user_category else self.cat_id
        tail = [self.user_data] if self.user_data else []
        return "_".join([head, self.fx_name, self.creator_id, self.source_id, *tail])


def make_name(
    title: str,
    cat_id: str = DEFAULT_CAT_ID,
    creator_id: str = DEFAULT_CREATOR_ID,
    source_id: str = DEFAULT_SOURCE_ID,
    user_category: str = "",
    user_data: str = "",
) -> UcsName:
    """A valid name from free text: accents are dropped, other signs become spaces, long texts are cut.

    A text without a single letter or digit of ASCII falls back to the field's default. Raises
    RequestError for a CatID that cannot be one.
    """
    return UcsName(
        cat_id=cat_id,
        fx_name=plain_field(title, LONGEST_FX_NAME) or DEFAULT_FX_NAME,
        creator_id=plain_field(creator_id, LONGEST_FIELD) or DEFAULT_CREATOR_ID,
        source_id=plain_field(source_id, LONGEST_FIELD) or DEFAULT_SOURCE_ID,
        user_category=plain_field(user_category, LONGEST_FIELD),
        user_data=plain_field(user_data, LONGEST_FIELD),
    )


def parse_name(name: str) -> UcsName:
    """The fields of a file name, with or without `.wav`; raises RequestError when it is not a UCS name."""
    stem = name[:-4] if name.lower().endswith(".wav") else name
    parts = stem.split("_")
    if not 4 <= len(parts) <= 5:
        raise RequestError(
            f"{name!r} is not a UCS file name: it needs CatID_FXName_CreatorID_SourceID and at most one more."
        )
    cat_id, dash, user_category = parts[0].partition("-")
    if (dash and not user_category) or (len(parts) == 5 and not parts[4]):
        raise RequestError(f"{name!r} is not a UCS file name: a field after '-' or '_' is empty.")
    return UcsName(cat_id, parts[1], parts[2], parts[3], user_category, parts[4] if len(parts) == 5 else "")


def check_cat_id(cat_id: str) -> None:
    """Raise RequestError when `cat_id` cannot be a CatID (its form is checked, not the list of 753)."""
    if not _CAT_ID.fullmatch(cat_id):
        raise RequestError(
            f"{cat_id!r} is not a UCS CatID: take one of the UCS list, such as {DEFAULT_CAT_ID}."
        )


def find_category(cat_id: str) -> Category | None:
    """The category of a CatID in `CATEGORIES`, None for a CatID that is not among them."""
    return next((category for category in CATEGORIES if category.cat_id == cat_id), None)


def drop_accents(text: str) -> str:
    """`text` with letters of the Latin script brought to ASCII and compatibility forms spelt out."""
    letters = unicodedata.normalize("NFKD", text.translate(_SPELT_OUT))
    return "".join(sign for sign in letters if not unicodedata.combining(sign))


def plain_field(text: str, longest: int) -> str:
    """`text` as ASCII letters, digits and single spaces, cut at a word's end where that keeps half of it."""
    letters = drop_accents(text).replace("'", "").replace("\u2019", "")
    plain = _OTHER.sub(" ", letters).strip()
    if len(plain) <= longest:
        return plain
    cut = plain[:longest]
    whole_words = cut if plain[longest] == " " else cut.rpartition(" ")[0]
    return whole_words.strip() if len(whole_words) * 2 >= longest else cut.strip()
