"""What the options of ``optcodec encode`` ask of each file: arguments of `optcodec.encode`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from optcodec.batch.places import Place
from optcodec.cli.images import ImageSet, opening_of
from optcodec.cli.network import measuring, reader_target, readers
from optcodec.console.form import form_of
from optcodec.console.options import choose_target, one_of, profile_from
from optcodec.console.tuning import EncodeSettings, tuned
from optcodec.errors import InvalidInputError
from optcodec.limits import processor_count
from optcodec.samplings import AUTO

if TYPE_CHECKING:
    from optcodec.batch.job import Job
    from optcodec.design import Statistics
    from optcodec.jpeg.tables import QuantTable
    from optcodec.targets import Target

__all__ = ["Gather", "job_of", "needed_per_pixel", "shared_tables", "tuning_of"]

Gather: TypeAlias = "Callable[[Sequence[Place], Callable[[Sequence[Place]], Iterable[Any]], str], Statistics]"

# Peak memory of an encode in bytes per pixel, measured on colour photographs of 6 megapixels and rounded up.
_NBYTES_PER_PIXEL = {
    "network": 200,
    "people": 300,
    "ssimulacra2": 560,
    "butteraugli": 350,
    "ssim": 170,
    "trellis or psnr": 70,
    "kl": 70,
    "otherwise": 30,
}


def needed_per_pixel(tuning: EncodeSettings, options: dict[str, Any]) -> int:
    """Peak memory of an encode with these options, and of what measures the file, in bytes per pixel."""
    measured = 0 if options["kl"] is None else _NBYTES_PER_PIXEL["kl"]
    return max(measured, _NBYTES_PER_PIXEL[_busiest(tuning, options)])


def _busiest(tuning: EncodeSettings, options: dict[str, Any]) -> str:
    """What takes most memory."""
    if tuning.networks or tuning.readers:
        return "network"
    if tuning.effort == 4:
        return "people"
    for measure in ("ssimulacra2", "butteraugli", "ssim"):
        if options[f"match_{measure}"] is not None:
            return measure
    busy = tuning.effort >= 3 or options["match_psnr"] is not None
    return "trellis or psnr" if busy else "otherwise"


def tuning_of(options: dict[str, Any]) -> EncodeSettings:
    """Check which of quality, tables and target is set, and combine it with the effort and tuning."""
    if options["shared_tables"]:
        return tuned(_check_shared(options), None, None)
    target = reader_target(options, choose_target(options))
    quality = options["quality"]
    for other, value in (("--tables", options["tables"]), ("a target (--water-level and the like)", target)):
        one_of({"-q/--quality": quality, other: value})
    one_of({"--scale": options["scale"], "a target, for which --tables are scaled": target})
    if options["scale"] is not None and options["tables"] is None:
        raise InvalidInputError("--scale is for the steps of --tables, got none")
    if target is None and options["method"] is not None:
        if quality is None:
            raise InvalidInputError("--method needs a target such as --water-level, or -q/--quality for deepn and jpeg")
        from optcodec.targets import Quality

        target, quality = Quality(quality), None
    return tuned(options, quality, target)


def job_of(options: dict[str, Any], tuning: EncodeSettings, tables: Sequence[QuantTable] | None, threads: int) -> Job:
    """What is done to each picture.

    Parameters
    ----------
    options : dict
        Of the verb.
    tuning : EncodeSettings
        From `tuning_of`.
    tables : sequence of QuantTable, optional
        From `shared_tables`.
    threads : int
        For each picture.
    """
    from optcodec.batch.job import Job

    settings = tuning.settings | {
        "reader": readers(options, tuning.readers),
        "rounds": options["rounds"],
        "tables": _tables(options["tables"], options["scale"]) if tables is None else tables,
        "method": options["method"] if tables is None else None,
        "subsampling": _subsampling(options),
        "metadata": options["metadata"],
        "threads": threads,
        **form_of(options),
    }
    checks = {name: options[name] for name in ("allow_larger", "verify", "psnr")}
    return Job(opening_of(options), settings, **checks, classifier=measuring(options))


def _check_shared(options: dict[str, Any]) -> dict[str, Any]:
    """The options with which pictures are coded whose tables were designed for all of them before.

    Raises
    ------
    InvalidInputError
        If the options do not go with ``--shared-tables``.
    """
    matched = "match_psnr", "match_ssim", "match_ssimulacra2", "match_butteraugli"
    only_single = ("network", "readers", "max_kl", "max_loss", "same_top1", *matched, "tables", "scale")
    refused = next((name for name in only_single if options[name] not in (None, False, ())), None)
    if refused is not None:
        spelled = f"--{refused.replace('_', '-')}"
        raise InvalidInputError(f"--shared-tables designs tables for all inputs, which does not go with {spelled}")
    if options["subsampling"] == AUTO:
        raise InvalidInputError(
            "--shared-tables designs tables for one subsampling of all inputs; expected such as 4:2:0, "
            f"got --subsampling {AUTO}"
        )
    _shared_target(options)
    weighs = (options["effort"] or 1) >= 3 or any(options[name] is not None for name in ("tune", "roi", "blocks"))
    coded: dict[str, Any] = {"method": None, "quality": None, "tables": Path("the shared tables")}
    coded |= {"effort": 1 if options["effort"] == 2 else options["effort"]}
    return options | coded | ({} if weighs else {"profile": None})


def _shared_target(options: dict[str, Any]) -> Target:
    """What the shared tables are designed for."""
    from optcodec.design import SCALED
    from optcodec.targets import MatchQuality, Quality

    target, quality = choose_target(options), options["quality"]
    one_of({"-q/--quality": quality, "a target (--water-level and the like)": target})
    if target is not None:
        return target
    if quality is None:
        raise InvalidInputError(
            "--shared-tables designs tables for a target such as --bpp, or for -q/--quality; got none"
        )
    return Quality(quality) if options["method"] in SCALED else MatchQuality(quality, jointly=True)


def shared_tables(
    paths: Sequence[Place], options: dict[str, Any], gather: Gather | None = None
) -> tuple[QuantTable, ...]:
    """Design one set of tables for all pictures that can be read; the others are left out without a word.

    Histograms are summed exactly, so that the tables do not depend on the number of threads, or of machines.

    Parameters
    ----------
    paths : sequence of Path, Url or Member
        The pictures.
    options : dict
        Of the verb.
    gather : callable, optional
        Takes the pictures, a function that opens some of them, and the chroma subsampling, and returns their
        statistics, as the machines of a cluster have counted them.
    """
    from optcodec.design import design_tables

    open_images = partial(ImageSet, opening=opening_of(options))
    target, sampling = _shared_target(options), _subsampling(options) or "4:2:0"
    source = open_images(paths) if gather is None else gather(paths, open_images, sampling)
    settings = {"profile": profile_from(options["profile"]), "method": options["method"]}
    threads = options["threads"] or processor_count()
    return design_tables(source, target=target, subsampling=sampling, threads=threads, **settings)


def _subsampling(options: dict[str, Any]) -> str | None:
    """Chroma subsampling that is asked for, that a file of tables names, or that of the profile of shared tables."""
    asked: str | None = options["subsampling"]
    if asked not in (None, AUTO):
        return asked
    if options["shared_tables"]:
        profile = profile_from(options["profile"])
        return None if profile is None else profile.provenance.subsampling
    if options["tables"] is None:
        return asked
    from optcodec.jpeg.table_files import tables_subsampling

    named = tables_subsampling(options["tables"])
    if asked is not None and named is not None:
        raise InvalidInputError(
            f"{options['tables']} has tables for {named}, which leaves no choice; "
            f"expected --subsampling {named} or none, got {AUTO}"
        )
    return asked or named


def _tables(path: Path | None, percent: float | None) -> Any:
    """The tables of a file, scaled by a percentage."""
    if path is None:
        return None
    from optcodec.jpeg.table_files import load_tables

    tables = load_tables(path)
    return tables if percent is None else tuple(table.scaled(percent) for table in tables)
