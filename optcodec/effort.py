"""What `effort`, `tune`, `field` and `blocks` ask for: how much work goes into a file, and whose error counts.

`optcodec.encode` and the command line share this module: the default level of effort, what a level does with a quality,
and which arguments have no effect at which level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from optcodec.errors import InvalidInputError
from optcodec.jpeg.tables import QuantTable
from optcodec.loop.reader import MAX_ROUNDS, readers_of
from optcodec.loop.targets import ReaderTarget
from optcodec.matching import Target
from optcodec.scalars import whole_number
from optcodec.targets import FixedLevel, MatchQuality, MatchSwe, MaxBytes, WaterLevel

if TYPE_CHECKING:
    from optcodec.blocks.choice import BlockChoice
    from optcodec.blocks.profile import UtilityProfile
    from optcodec.loop.reader import Reader, Readers
    from optcodec.trellis.field import QualityField
    from optcodec.trellis.tuning import Tuning
    from optcodec.vision.profile import SensitivityProfile

    Tune = str | SensitivityProfile | UtilityProfile | Tuning

__all__ = ["Request", "check_effort", "check_tuning", "is_for_people"]

Arguments = Mapping[str, object]  # values by their names in `Request`; None, or left out, where nothing is set
Spell = Callable[[str], str]  # the name of an argument as the user writes it

_FOR_A_TRELLIS = "tune", "field", "blocks"
_FOR_A_LOOP = "reader", "rounds"
_METHODS_OF_PROFILES = ("rdopt", "opts")
_NEVER_REFUSED = {"quality", "tables", "effort", "dct", "huffman"}  # with effort 1


@dataclass(frozen=True)
class Request:
    """What the user asks of a file; see `optcodec.encode` for each argument.

    Of `quality` and `target` at most one is set, and `tables` without `quality`.
    """

    quality: int | None = None
    tables: Sequence[QuantTable] | None = None
    target: Target | None = None
    profile: SensitivityProfile | None = None
    method: str | None = None
    effort: int | None = None
    tune: Tune | None = None
    field: QualityField | None = None
    blocks: BlockChoice | None = None
    reader: Reader | Readers | Sequence[Reader] | None = None
    rounds: int | None = None

    def resolved(self, **form: str) -> Request:
        """The request with its effort, the target of a quality that tables are designed for, and the tuning of a size.

        Parameters
        ----------
        **form
            What `check_effort` has to know of the form of the file: `dct` and `huffman`.

        Raises
        ------
        InvalidInputError
            If arguments are wrong, or exclude one another.
        """
        arguments = vars(self)
        for one, other in (("quality", "tables"), ("quality", "target")):
            if arguments[one] is not None and arguments[other] is not None:
                raise InvalidInputError(f"{one} and {other} exclude one another; expected one of them")
        _check_tables(self.tables)
        check_tuning(self.tune, self.field, self.blocks)
        _check_reader(self.reader, self.rounds)
        effort = check_effort(arguments | form)
        if effort == 3 and self.is_size_alone(**form):
            return replace(self, effort=effort, tune="people")
        if effort == 4 and self.reader is None:
            from optcodec.loop.people import PeopleReader

            return replace(self, effort=effort, reader=PeopleReader())
        if effort == 2 and self.quality is not None:
            return replace(self, effort=effort, quality=None, target=MatchQuality(self.quality, jointly=True))
        return replace(self, effort=effort)

    def is_size_alone(self, **form: str) -> bool:
        """Whether the file is made for people, since only its size is asked for; `form` as of `resolved`."""
        return is_for_people(vars(self) | form)

    @property
    def receivers(self) -> list[UtilityProfile]:
        """The utility profiles that the file is tuned, and its blocks are weighed with."""
        from optcodec.blocks.profile import UtilityProfile

        known = [self.tune, self.blocks and self.blocks.profile]
        return [profile for profile in known if isinstance(profile, UtilityProfile)]

    @property
    def tuned_for(self) -> Tune:
        """What the file is tuned for: by default the network or the receiver that it is made for, or PSNR."""
        tunings = [receiver.tuning for receiver in self.receivers if receiver.tuning is not None]
        return self.tune or self.profile or (tunings[0] if tunings else "psnr")

    @property
    def subsampling(self) -> str | None:
        """The sampling that the profile of network or receiver was measured at, if there is one."""
        if self.profile is not None:
            return self.profile.provenance.subsampling
        if self.tune is None and self.blocks is None:
            return None
        from optcodec.vision.profile import SensitivityProfile

        if isinstance(self.tune, SensitivityProfile):
            return self.tune.provenance.subsampling
        receivers = self.receivers
        return receivers[0].provenance.subsampling if receivers else None


def check_tuning(tune: object, field: object, blocks: object) -> None:
    """Check the types of what effort 3 is told about errors; None stands for nothing set.

    Raises
    ------
    InvalidInputError
        If there is no such tuning, or another value is of a wrong type.
    """
    if tune is not None:
        from optcodec.trellis.tuning import tuning_for

        tuning_for(tune)  # type: ignore[arg-type]
    if field is not None:
        from optcodec.trellis.field import QualityField

        if not isinstance(field, QualityField):
            raise InvalidInputError(f"a field is a QualityField, got {type(field).__name__}")
    if blocks is not None:
        from optcodec.blocks.choice import BlockChoice

        if not isinstance(blocks, BlockChoice):
            expected = "expected what blocks_by makes of a name"
            raise InvalidInputError(f"blocks are weighed by a BlockChoice, got {type(blocks).__name__}; {expected}")


def _check_reader(reader: object, rounds: object) -> None:
    """Check the types of what effort 4 is told about its reader; None stands for nothing set."""
    if reader is not None:
        readers_of(reader)  # type: ignore[arg-type]
    if rounds is not None:
        whole_number(rounds, "rounds", 0, MAX_ROUNDS)


def _check_tables(tables: Sequence[QuantTable] | None) -> None:
    """Refuse tables that no baseline file can have."""
    if tables is not None and not 1 <= len(tables) <= 4:
        raise InvalidInputError(f"one to four quantization tables are expected, got {len(tables)}")
    for table in tables or ():
        if not table.is_baseline:
            raise InvalidInputError(f"steps to encode with lie in 1..255, got {table.steps.max()}")


def _in_python(name: str) -> str:
    return "a target such as target=Bpp(1.0)" if name == "target" else name


def is_for_people(arguments: Arguments) -> bool:
    """Whether only a number of bytes is asked for: the file is then made for people who look at it.

    The arguments are those of `check_effort`.
    """
    of_form = {"dct": "float", "huffman": "optimal"}
    is_set = {name for name, value in arguments.items() if value is not None and name not in of_form}
    usual = all(arguments.get(name) in (None, value) for name, value in of_form.items())
    return usual and is_set == {"target"} and isinstance(arguments["target"], MaxBytes)


def check_effort(arguments: Arguments, spell: Spell = _in_python) -> int:
    """Effort 1..4 of a request: by default the least that has what the other arguments ask for.

    Parameters
    ----------
    arguments : mapping
        Those of `Request`, and `dct` and `huffman`. Values matter of `effort`, `target`, `method`, `dct` and `huffman`,
        and of `tune` the name of a tuning; of all others it matters only whether they are set.
    spell : callable
        Takes the name of an argument and returns it as the user writes it: on the command line ``--roi`` for
        ``"field"``. Messages name arguments in this way.

    Raises
    ------
    InvalidInputError
        If effort is not in 1..4, or another argument would have no effect with it.
    """
    is_set = {name for name, value in arguments.items() if value is not None}
    if "effort" in is_set:
        effort = whole_number(arguments["effort"], "effort", 1, 4)
    elif is_set.intersection(_FOR_A_LOOP):
        effort = 4
    elif is_set.intersection(_FOR_A_TRELLIS) or ("target" in is_set and is_for_people(arguments)):
        effort = 3
    else:
        effort = 2 if "target" in is_set else 1
    if effort == 1 and is_set <= _NEVER_REFUSED:
        return effort  # without making messages, which takes as long as a tenth of a small picture
    if "method" in is_set and "target" not in is_set:
        raise InvalidInputError(f"{spell('method')} designs tables for {spell('target')}; got none")
    checks = (_without_effect_at_1, _without_effect_at_2, _without_effect_at_3, _without_effect_at_4)
    refused = checks[effort - 1](arguments, is_set, spell)
    if effort < 4:
        refused |= _needing_a_reader(effort, arguments, is_set, spell)
    for message, applies in refused.items():
        if applies:
            raise InvalidInputError(message)
    return effort


def _without_effect_at_1(arguments: Arguments, is_set: set[str], spell: Spell) -> dict[str, bool]:
    """Messages, and whether they apply: tables are fixed, and coefficients rounded to nearest."""
    effort, quality = spell("effort"), spell("quality")
    fixed, expected = f"tables are fixed with {effort} 1", f"expected {effort} 2 or 3"
    return _needing_a_trellis(1, is_set, spell) | {
        f"{fixed}, {spell('method')} designs them; {expected}": "method" in is_set,
        f"{fixed}, so that no target can be met; {expected}": "target" in is_set,
        f"{fixed}, so that {spell('profile')} has no effect; {expected}": {"effort", "profile"} <= is_set,
        f"{spell('profile')} needs {spell('target')}; or {quality} with {effort} 2 or 3": "profile" in is_set,
    }


def _without_effect_at_2(arguments: Arguments, is_set: set[str], spell: Spell) -> dict[str, bool]:
    """Messages, and whether they apply: tables are designed, and coefficients rounded to nearest."""
    effort, tables, quality = spell("effort"), spell("tables"), spell("quality")
    neither, scaled = not is_set.intersection(("quality", "target")), {"tables", "target"} <= is_set
    designs = f"{effort} 2 designs tables, so that {tables} has no effect"
    return _needing_a_trellis(2, is_set, spell) | {
        f"{designs}; expected {effort} 1 or 3, or a target to scale them for": "tables" in is_set and not scaled,
        f"{tables} are scaled for a target, so that {spell('method')} has no effect": scaled and "method" in is_set,
        f"{tables} are scaled for a size, a quality or an error; got a level of tables that are designed": (
            scaled and isinstance(arguments.get("target"), FixedLevel)
        ),
        f"{effort} 2 designs tables for {quality} or a target, got neither": neither,
    }


def _needing_a_trellis(effort: int, is_set: set[str], spell: Spell) -> dict[str, bool]:
    expected = f"has no effect unless coefficients are optimized; expected {spell('effort')} 3, got {effort}"
    return {f"{spell(name)} {expected}": name in is_set for name in _FOR_A_TRELLIS}


def _without_effect_at_3(arguments: Arguments, is_set: set[str], spell: Spell, effort: int = 3) -> dict[str, bool]:
    """Messages, and whether they apply: tables are designed unless they are set, and coefficients optimized."""
    dct, profile, other = spell("dct"), spell("profile"), isinstance(arguments.get("tune"), str)
    huffman = spell("huffman")
    weighs = (
        isinstance(arguments.get("target"), (MatchSwe, WaterLevel)) or arguments.get("method") in _METHODS_OF_PROFILES
    )
    scaled = f"{spell('tables')} stay as they are with {spell('effort')} {effort}"
    cannot = f"rounds coefficients, so that {spell('effort')} {effort} cannot optimize them"
    return {
        f"{dct} exact {cannot}; expected {dct} float": arguments.get("dct") == "exact",
        f"{spell('effort')} {effort} counts on the optimal Huffman tables; expected {huffman} optimal, got standard": (
            arguments.get("huffman") == "standard"
        ),
        f"{scaled}; expected {spell('effort')} 2, which scales them for a target": {"tables", "target"} <= is_set,
        f"{profile} has no effect with {spell('tune')}; expected one of the two, or a target of weighted error: "
        f"{spell('MatchSwe')} or {spell('WaterLevel')}": "profile" in is_set and other and not weighs,
    }


def _without_effect_at_4(arguments: Arguments, is_set: set[str], spell: Spell) -> dict[str, bool]:
    """Messages, and whether they apply: coefficients are optimized for a reader, within a size or what it says."""
    effort, target = spell("effort"), arguments.get("target")
    kept = isinstance(target, (ReaderTarget, FixedLevel)) or not isinstance(target, Target)
    expected = f"expected a size, a loss, or {spell('quality')} for the bytes that {effort} 3 would take"
    return {
        f"{effort} 4 needs {spell('reader')}, got none; or a file that is tuned for people": (
            "reader" not in is_set and arguments.get("tune") != "people"
        ),
        f"{effort} 4 has a reader in place of {target}; {expected}": not kept and _budget_of(target) is None,
    } | _without_effect_at_3(arguments, is_set, spell, effort=4)


def _budget_of(target: object) -> int | None:
    return target.budget(1) if isinstance(target, Target) else None


def _needing_a_reader(effort: int, arguments: Arguments, is_set: set[str], spell: Spell) -> dict[str, bool]:
    """Messages, and whether they apply: there is no reader."""
    target, expected = arguments.get("target"), f"expected {spell('effort')} 4, got {effort}"
    alone = "has an effect with a reader in the loop only"
    return {f"{spell(name)} {alone}; {expected}": name in is_set for name in _FOR_A_LOOP} | {
        f"{target} is measured by a reader ({spell('reader')}); {expected}": isinstance(target, ReaderTarget)
    }
