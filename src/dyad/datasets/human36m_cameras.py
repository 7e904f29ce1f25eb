"""The four cameras of Human3.6M: where they stood for each subject, and their lenses.

The numbers are the data set's calibration as VideoPose3D states it. Of the lenses, those of the first two cameras were
checked against real annotations; reading 2D truth checks every camera again. `metadata.xml`, which comes with the data
set, states the same and is preferred where it is there.
"""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.camera import Camera
from dyad.core.errors import BadInput, one_line
from dyad.datasets.reading import numbers
from dyad.datasets.truth import check_rotation
from dyad.geometry.rigid import from_quaternion, to_camera

CAMERAS = ("54138969", "55011271", "58860488", "60457274")
SUBJECTS = {"train": ("S1", "S5", "S6", "S7", "S8"), "test": ("S9", "S11")}
_HEIGHT = {"54138969": 1002, "55011271": 1000, "58860488": 1000, "60457274": 1002}

# Focal lengths x and y, centre x and y (px), k1 k2 k3, and the two tangential coefficients.
_LENSES = {
    "54138969": (
        (1145.0494384765625, 1143.7811279296875, 512.54150390625, 515.4514770507812),
        (-0.20709891617298126, 0.24777518212795258, -0.0030751503072679043),
        (-0.0009756988729350269, -0.00142447161488235),
    ),
    "55011271": (
        (1149.6756591796875, 1147.5916748046875, 508.8486328125, 508.0649108886719),
        (-0.1942136287689209, 0.2404085397720337, 0.006819975562393665),
        (-0.0016190266469493508, -0.0027408944442868233),
    ),
    "58860488": (
        (1149.1407470703125, 1148.7989501953125, 519.8158569335938, 501.40264892578125),
        (-0.2083381861448288, 0.25548800826072693, -0.0024604974314570427),
        (0.0014843869721516967, -0.0007599993259645998),
    ),
    "60457274": (
        (1145.5113525390625, 1144.77392578125, 514.9682006835938, 501.88201904296875),
        (-0.198384091258049, 0.21832367777824402, -0.008947807364165783),
        (-0.0005872055771760643, -0.0018133620033040643),
    ),
}

# For each subject and camera, in the order of CAMERAS: the quaternion w x y z that turns camera axes into the world's,
# and the camera's place in mm.
_PLACES = {
    "S1": (
        (
            (0.1407056450843811, -0.1500701755285263, -0.755240797996521, 0.6223280429840088),
            (1841.1070556640625, 4955.28466796875, 1563.4454345703125),
        ),
        (
            (0.6157187819480896, -0.764836311340332, -0.14833825826644897, 0.11794740706682205),
            (1761.278564453125, -5078.0068359375, 1606.2650146484375),
        ),
        (
            (0.14651472866535187, -0.14647851884365082, 0.7653023600578308, -0.6094175577163696),
            (-1846.7777099609375, 5215.04638671875, 1491.972412109375),
        ),
        (
            (0.5834008455276489, -0.7853162288665771, 0.14548823237419128, -0.14749594032764435),
            (-1794.7896728515625, -3722.698974609375, 1574.8927001953125),
        ),
    ),
    "S5": (
        (
            (0.1467377245426178, -0.162370964884758, -0.7551892995834351, 0.6178938746452332),
            (2097.3916015625, 4880.94482421875, 1605.732421875),
        ),
        (
            (0.6159758567810059, -0.7626792192459106, -0.15728192031383514, 0.1189815029501915),
            (2031.7008056640625, -5167.93310546875, 1612.923095703125),
        ),
        (
            (0.14291371405124664, -0.12907841801643372, 0.7678384780883789, -0.6110143065452576),
            (-1620.5948486328125, 5171.65869140625, 1496.43701171875),
        ),
        (
            (0.5920479893684387, -0.7814217805862427, 0.1274748593568802, -0.15036417543888092),
            (-1637.1737060546875, -3867.3173828125, 1547.033203125),
        ),
    ),
    "S6": (
        (
            (0.1337897777557373, -0.15692396461963654, -0.7571090459823608, 0.6198879480361938),
            (1935.4517822265625, 4950.24560546875, 1618.0838623046875),
        ),
        (
            (0.6147197484970093, -0.7628812789916992, -0.16174767911434174, 0.11819244921207428),
            (1969.803955078125, -5128.73876953125, 1632.77880859375),
        ),
        (
            (0.1529948115348816, -0.13529130816459656, 0.7646096348762512, -0.6112781167030334),
            (-1769.596435546875, 5185.361328125, 1476.993408203125),
        ),
        (
            (0.5916101336479187, -0.7804774045944214, 0.12832270562648773, -0.1561593860387802),
            (-1721.668701171875, -3884.13134765625, 1540.4879150390625),
        ),
    ),
    "S7": (
        (
            (0.1435241848230362, -0.1631336808204651, -0.7548328638076782, 0.6188824772834778),
            (1974.512939453125, 4926.3544921875, 1597.8326416015625),
        ),
        (
            (0.6141672730445862, -0.7638262510299683, -0.1596645563840866, 0.1177929937839508),
            (1937.0584716796875, -5119.7900390625, 1631.5665283203125),
        ),
        (
            (0.14550060033798218, -0.12874816358089447, 0.7660516500473022, -0.6127139329910278),
            (-1741.8111572265625, 5208.24951171875, 1464.8245849609375),
        ),
        (
            (0.5912848114967346, -0.7821764349937439, 0.12445037066936493, -0.15196487307548523),
            (-1734.7105712890625, -3832.42138671875, 1548.5830078125),
        ),
    ),
    "S8": (
        (
            (0.14110587537288666, -0.15589867532253265, -0.7561917304992676, 0.619644045829773),
            (2150.65185546875, 4896.1611328125, 1611.9046630859375),
        ),
        (
            (0.6169601678848267, -0.7647668123245239, -0.14846350252628326, 0.11158157885074615),
            (2219.965576171875, -5148.453125, 1613.0440673828125),
        ),
        (
            (0.1471444070339203, -0.13377119600772858, 0.7670128345489502, -0.6100369691848755),
            (-1571.2215576171875, 5137.0185546875, 1498.1761474609375),
        ),
        (
            (0.5927824378013611, -0.7825870513916016, 0.12147816270589828, -0.14631995558738708),
            (-1476.913330078125, -3896.7412109375, 1547.97216796875),
        ),
    ),
    "S9": (
        (
            (0.15540587902069092, -0.15548215806484222, -0.7532095313072205, 0.6199594736099243),
            (2044.45849609375, 4935.1171875, 1481.2275390625),
        ),
        (
            (0.618784487247467, -0.7634735107421875, -0.14132238924503326, 0.11933968216180801),
            (1990.959716796875, -5123.810546875, 1568.8048095703125),
        ),
        (
            (0.13357827067375183, -0.1367100477218628, 0.7689454555511475, -0.6100738644599915),
            (-1670.9921875, 5211.98583984375, 1528.387939453125),
        ),
        (
            (0.5879399180412292, -0.7823407053947449, 0.1427614390850067, -0.14794869720935822),
            (-1696.04345703125, -3827.099853515625, 1591.4127197265625),
        ),
    ),
    "S11": (
        (
            (0.15232472121715546, -0.15442320704460144, -0.7547563314437866, 0.6191070079803467),
            (2098.440185546875, 4926.5546875, 1500.278564453125),
        ),
        (
            (0.6189449429512024, -0.7600917220115662, -0.15300633013248444, 0.1255258321762085),
            (2083.182373046875, -4912.1728515625, 1561.07666015625),
        ),
        (
            (0.14943228662014008, -0.15650227665901184, 0.7681233882904053, -0.6026304364204407),
            (-1609.8153076171875, 5177.3359375, 1537.896728515625),
        ),
        (
            (0.5894251465797424, -0.7818877100944519, 0.13991211354732513, -0.14715361595153809),
            (-1590.738037109375, -3854.1689453125, 1578.017578125),
        ),
    ),
}


@dataclass(frozen=True)
class StudioCamera:
    """One camera as one subject saw it.

    Attributes:
        name: the camera's number, one of CAMERAS.
        lens: (9,) focal x y, centre x y (px), k1 k2 k3, and the tangential coefficients p1 p2.
        rotation: (3,3) turns camera axes into the world's. place: (3,) m, where it stands in the world.
        swapped: p1 bends along y and p2 along x, as in the data set's own code; VideoPose3D has them the other way,
            in the 2D truth that it distributes as well.
    """

    name: str
    lens: NDArray[np.float64]
    rotation: NDArray[np.float64]
    place: NDArray[np.float64]
    swapped: bool

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the camera's images, px."""
        return 1000, _HEIGHT[self.name]

    @property
    def camera(self) -> Camera:
        """The nearest camera in OpenCV's terms: within 0.07 px of `pixels` up to 290 px from the centre, 0.4 px beyond.

        Human3.6M's lens has x (p·x) + p r² where OpenCV has 2 x (p·x) + p r²: p times 0.7 is nearest in the
        least-squares sense over a square image, whatever its size.
        """
        along_x, along_y = 0.7 * self._bend
        k1, k2, k3 = self.lens[4:7]
        distortion = torch.tensor([k1, k2, along_y, along_x, k3], dtype=torch.float64)
        focal, centre = torch.from_numpy(self.lens[:2].copy()), torch.from_numpy(self.lens[2:4].copy())
        return Camera(self.size, focal, centre, distortion, source="file")

    def see(self, world: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (…,N,3) m of the studio in camera axes."""
        points, rotation, place = (torch.from_numpy(value) for value in (world, self.rotation, self.place))
        return to_camera(points, rotation, place).numpy()

    def pixels(self, xyz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels (…,2) of points (…,3) in camera axes, by the lens model of the data set itself."""
        plane = xyz[..., :2] / xyz[..., 2:]
        r2 = (plane**2).sum(-1, keepdims=True)
        radial = 1 + r2 * (self.lens[4] + r2 * (self.lens[5] + r2 * self.lens[6]))
        bent = plane * (radial + (plane * self._bend).sum(-1, keepdims=True)) + self._bend * r2
        return bent * self.lens[:2] + self.lens[2:4]

    @property
    def _bend(self) -> NDArray[np.float64]:
        """The tangential coefficients that bend along x and y."""
        return self.lens[:6:-1] if self.swapped else self.lens[7:]


def studio_camera(subject: str, name: str, *, swapped: bool) -> StudioCamera:
    """A camera from the numbers of this file."""
    quaternion, place = _PLACES[subject][CAMERAS.index(name)]
    rotation = from_quaternion(torch.tensor(quaternion, dtype=torch.float64)).numpy()
    lens = np.concatenate([np.array(part) for part in _LENSES[name]])
    return StudioCamera(name, lens, rotation, np.array(place) / 1000, swapped)


def cameras_of_metadata(path: str | Path) -> dict[tuple[str, str], StudioCamera]:
    """All cameras by (subject, camera) out of the data set's `metadata.xml`. Raises BadInput."""
    try:
        text = ElementTree.parse(path).getroot().findtext(".//w0") or ""
        values = [float(word) for word in text.strip(" []\n").split()]
    except FileNotFoundError:
        raise BadInput(f"there is no file {path}") from None
    except (OSError, ElementTree.ParseError, ValueError, LookupError) as error:  # The last for unknown encodings.
        raise BadInput(f"{path} is no metadata.xml of Human3.6M: {one_line(error)}") from error
    all_numbers = numbers(values, f"{path}, w0", (300,), limit=1e6)
    places, lenses = all_numbers[:264].reshape(4, 11, 6), all_numbers[264:].reshape(4, 9)
    found = {}
    for subjects in SUBJECTS.values():
        for subject in subjects:
            for at, name in enumerate(CAMERAS):
                angles, place = places[at, int(subject[1:]) - 1, :3], places[at, int(subject[1:]) - 1, 3:] / 1000
                found[subject, name] = StudioCamera(name, lenses[at], _of_angles(angles).T, place, True)
    return found


def _of_angles(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation (3,3) from world to camera axes: about x after that about y after that about z."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array(((1, 0, 0), (0, cx, -sx), (0, sx, cx)))
    about_y = np.array(((cy, 0, sy), (0, 1, 0), (-sy, 0, cy)))
    about_z = np.array(((cz, -sz, 0), (sz, cz, 0), (0, 0, 1)))
    return check_rotation(about_x @ about_y @ about_z, "metadata.xml")
