# The public names: type checkers read this list, and `optcodec/__init__.py` imports from it on first use.
from .blocks.encode import Rdo as Rdo
from .blocks.field import QualityField as QualityField
from .design import design_tables as design_tables
from .encoder import EncodedJpeg as EncodedJpeg
from .encoder import encode as encode
from .errors import InvalidInputError as InvalidInputError
from .errors import MalformedJpegError as MalformedJpegError
from .errors import OptcodecError as OptcodecError
from .errors import TargetNotMetError as TargetNotMetError
from .errors import UnsupportedJpegError as UnsupportedJpegError
from .jpeg.dct import forward as forward
from .jpeg.image import CoefficientImage as CoefficientImage
from .jpeg.image import Component as Component
from .jpeg.image import DctImage as DctImage
from .jpeg.image import Metadata as Metadata
from .jpeg.reader import read_jpeg as read_jpeg
from .jpeg.table_files import load_tables as load_tables
from .jpeg.table_files import save_tables as save_tables
from .jpeg.tables import QuantTable as QuantTable
from .jpeg.tables import annex_k_tables as annex_k_tables
from .jpeg.writer import write_jpeg as write_jpeg
from .metrics import psnr_db as psnr_db
from .metrics import swe as swe
from .pixels import load_picture as load_picture
from .targets import Bpp as Bpp
from .targets import MatchPsnr as MatchPsnr
from .targets import MatchQuality as MatchQuality
from .targets import MatchSsim as MatchSsim
from .targets import MatchSwe as MatchSwe
from .targets import MaxBytes as MaxBytes
from .targets import WaterLevel as WaterLevel
from .vision.estimate import estimate_sensitivity as estimate_sensitivity
from .vision.profile import SensitivityProfile as SensitivityProfile
from .vision.profile import load_profile as load_profile
from .vision.profile import shipped_profiles as shipped_profiles

__version__: str
