# The public names: type checkers read this list, and `optcodec/__init__.py` imports from it on first use.
from .blocks.choice import BlockChoice as BlockChoice
from .blocks.choice import blocks_by as blocks_by
from .blocks.curves import Curves as Curves
from .blocks.profile import UtilityProfile as UtilityProfile
from .blocks.profile import load_utility_profile as load_utility_profile
from .blocks.profile import shipped_utility_profiles as shipped_utility_profiles
from .blocks.provenance import UtilityProvenance as UtilityProvenance
from .design import SamplingMismatchWarning as SamplingMismatchWarning
from .design import design_tables as design_tables
from .encoder import EncodedJpeg as EncodedJpeg
from .encoder import encode as encode
from .errors import DiskFullError as DiskFullError
from .errors import InvalidInputError as InvalidInputError
from .errors import JpegWarning as JpegWarning
from .errors import MalformedJpegError as MalformedJpegError
from .errors import OptcodecError as OptcodecError
from .errors import TargetNotMetError as TargetNotMetError
from .errors import UnsupportedJpegError as UnsupportedJpegError
from .extras import require_packages as require_packages
from .form import UnreadableSizeWarning as UnreadableSizeWarning
from .jpeg.image import CoefficientImage as CoefficientImage
from .jpeg.image import Component as Component
from .jpeg.image import DctComponent as DctComponent
from .jpeg.image import DctImage as DctImage
from .jpeg.image import Metadata as Metadata
from .jpeg.reading.reader import CoefficientRows as CoefficientRows
from .jpeg.reading.reader import read_jpeg as read_jpeg
from .jpeg.reading.reader import read_jpeg_rows as read_jpeg_rows
from .jpeg.table_files import load_tables as load_tables
from .jpeg.table_files import save_tables as save_tables
from .jpeg.tables import QuantTable as QuantTable
from .jpeg.tables import annex_k_tables as annex_k_tables
from .jpeg.writer import write_jpeg as write_jpeg
from .jsontext import parse_json as parse_json
from .limits import MAX_PIXELS as MAX_PIXELS
from .match_measure import MatchMeasure as MatchMeasure
from .matching import Target as Target
from .metrics import psnr_db as psnr_db
from .metrics import swe as swe
from .pictures.opening import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from .pictures.opening import opened_image as opened_image
from .pictures.orientation import orientation_of as orientation_of
from .pictures.orientation import upright as upright
from .pictures.pixels import Picture as Picture
from .pictures.pixels import load_picture as load_picture
from .receivers.measure import measure_curves as measure_curves
from .receivers.task import Task as Task
from .scalars import whole_number as whole_number
from .targets import Bpp as Bpp
from .targets import MatchPsnr as MatchPsnr
from .targets import MatchQuality as MatchQuality
from .targets import MatchSsim as MatchSsim
from .targets import MatchSwe as MatchSwe
from .targets import MaxBytes as MaxBytes
from .targets import Quality as Quality
from .targets import WaterLevel as WaterLevel
from .transcode import Transcoded as Transcoded
from .transcode import transcode as transcode
from .trellis.field import QualityField as QualityField
from .trellis.tuning import Masking as Masking
from .trellis.tuning import Tuning as Tuning
from .vision.estimate import estimate_sensitivity as estimate_sensitivity
from .vision.profile import Provenance as Provenance
from .vision.profile import SensitivityProfile as SensitivityProfile
from .vision.profile import load_profile as load_profile
from .vision.profile import shipped_profiles as shipped_profiles

__version__: str

# Kept so that programs which import them from here go on working; they are not documented, and those that we use
# ourselves come from `optcodec.shared`.
# Deprecated: what `encode` took before `effort`.
from .deprecated import Rdo as Rdo
from .files import check_writable as check_writable
from .files import whole_file as whole_file
from .files import write_whole as write_whole
from .jpeg.dct import forward as forward
