"""What people and things look like: fixed to their surfaces, free of flicker, and like people."""

import numpy as np
import pytest

from dyad.core.errors import BadInput
from dyad.synthetic.bodies.body import PARTS, BodyModel, Phenotype
from dyad.synthetic.rendering.fashion import random_look, random_material
from dyad.synthetic.rendering.lighting import Light, Sky
from dyad.synthetic.rendering.looks import STYLES, Fabric, Look, Material, Picture, packed
from dyad.synthetic.rendering.noise import noise, value_noise
from dyad.synthetic.rendering.patterns import PATTERNS, pulse, to_linear, wave
from dyad.synthetic.rendering.render import Renderer, Rendering, Surface

FLIP = np.diag([1.0, -1.0, -1.0])
EVEN = Light(
    np.array([0, 0, -1.0]), np.array([0, -1.0, 0]), sun=(0, 0, 0), sky=(1.0,) * 3, bounce=(1.0,) * 3, exposure=0.6
)


def portrait(
    look: Look, *, size=(160, 240), focal=220.0, distance=2.0, height=0.85, yaw=0.0, light=EVEN, threads=1
) -> Rendering:
    """A middle adult at rest, seen from the front from that height and distance in metres, turned by `yaw`."""
    mesh = BodyModel.load().mesh("full")
    rest = look.dressed(BodyModel.load().shape(Phenotype()).rest(), mesh.canonical, mesh.faces, mesh.part)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    points = ((rest @ turn.T - (0, height, distance)) @ FLIP).astype(np.float32)
    body = Surface(points, mesh.faces, mesh.canonical, look, 1, mesh.part, closed=True)
    centre = ((size[0] - 1) / 2, (size[1] - 1) / 2)
    return Renderer(size, samples=2, threads=threads)([body], (focal, focal), centre, light=light, sky=Sky(clouds=0))


def colour_at(out: Rendering, x: float, y: float, z: float, *, focal=220.0, distance=2.0, height=0.85) -> np.ndarray:
    """Mean colour around the pixel that sees a point of the body at rest."""
    height_px, width_px = out.identity.shape
    column = round(focal * x / (distance - z) + (width_px - 1) / 2)
    row = round(focal * (height - y) / (distance - z) + (height_px - 1) / 2)
    assert out.identity[row, column] == 1
    return out.image[row - 1 : row + 2, column - 1 : column + 2].reshape(-1, 3).astype(float).mean(0)


def hue(colour) -> np.ndarray:
    linear = to_linear(np.asarray(colour, float))
    return linear / linear.sum()


def test_garments_lie_where_they_should_in_their_colours() -> None:
    look = Look(
        skin=(0.85, 0.65, 0.52), shirt=Fabric((0.8, 0.1, 0.1)), trousers=Fabric((0.1, 0.2, 0.8)),
        shoes=Fabric((0.1, 0.7, 0.2)), hair=(0.5, 0.25, 0.1), sleeve=0.15, hem=0.9, collar=0.0, socks=(0.1, 0.7, 0.2),
    )  # fmt: skip
    out = portrait(look)
    places = {
        "shirt": ((0.05, 1.2, 0.1), look.shirt.colour),
        "sleeve": ((0.22, 1.29, 0.07), look.shirt.colour),
        "thigh": ((0.11, 0.7, 0.1), look.trousers.colour),
        "shin": ((0.165, 0.3, 0.04), look.trousers.colour),
        "shoe": ((0.2, 0.045, 0.12), look.shoes.colour),
        "forearm": ((0.40, 1.1, 0.12), look.skin),
        "cheek": ((0.04, 1.53, 0.13), look.skin),
        "crown": ((0.0, 1.668, 0.10), look.hair),
    }
    for name, (place, colour) in places.items():
        found = colour_at(out, *place)
        assert np.abs(hue(found / 255) - hue(colour)).max() < 0.10, (name, found)


@pytest.mark.parametrize(("sleeve", "leg", "bare"), [(0.48, 0.075, False), (0.10, 0.55, True)])
def test_short_clothes_show_skin(sleeve: float, leg: float, bare: bool) -> None:
    blue = Fabric((0.1, 0.2, 0.8))
    out = portrait(Look(skin=(0.85, 0.65, 0.52), shirt=blue, trousers=blue, sleeve=sleeve, leg=leg))
    for place in ((0.40, 1.1, 0.12), (0.165, 0.3, 0.04)):
        red, _, violet = colour_at(out, *place)
        assert (red > violet) == bare


def test_sleeves_are_measured_along_the_bent_arm() -> None:
    out = portrait(Look(skin=(0.85, 0.65, 0.52), shirt=Fabric((0.1, 0.2, 0.8)), sleeve=0.36, collar=0.0))
    for beyond_elbow, bare in ((0.06, False), (0.125, True)):
        place = np.array((0.350, 1.151, 0.035)) + beyond_elbow * np.array((0.5175, -0.5175, 0.6871))
        x, y, z = place
        red, _, violet = colour_at(out, x, y, z + 0.03)
        assert (red > violet) == bare


def test_a_face_has_dark_brows_eyes_and_red_lips() -> None:
    zoom = {"focal": 900.0, "distance": 1.2, "height": 1.56}
    look = Look(hair=(0.1, 0.08, 0.06))
    out = portrait(look, size=(240, 240), **zoom)
    skin = colour_at(out, 0.035, 1.545, 0.135, **zoom)
    for side in (-1, 1):
        assert colour_at(out, side * 0.029, 1.5785, 0.141, **zoom).mean() < 0.55 * skin.mean()
        assert colour_at(out, side * 0.026, 1.601, 0.148, **zoom).mean() < 0.75 * skin.mean()
    lips = colour_at(out, 0.006, 1.502, 0.155, **zoom)
    assert lips[0] / lips[1] > 1.12 * skin[0] / skin[1]


def test_clothes_stand_off_the_skin_and_shoes_hide_toes() -> None:
    model = BodyModel.load()
    mesh, rest = model.mesh(), model.shape(Phenotype()).rest()
    loose, tight = (
        Look(loose=share, style="bald").dressed(rest, mesh.canonical, mesh.faces, mesh.part) for share in (1.0, 0.0)
    )
    hands = np.isin(mesh.part, (PARTS.index("left_hand"), PARTS.index("right_hand")))
    assert (loose[hands] == rest[hands]).all()
    head = (mesh.part == PARTS.index("head")) & (mesh.canonical[:, 1] > 1.5)
    assert (loose[head] == rest[head]).all()

    def volume(points: np.ndarray) -> float:
        a, b, c = points[mesh.faces].transpose(1, 0, 2)
        return float((a * np.cross(b, c)).sum() / 6)

    assert volume(rest) < volume(tight) < volume(loose) < 1.4 * volume(rest)
    low = model.mesh("low")
    dressed = Look(style="long").dressed(model.shape(Phenotype()).rest("low"), low.canonical, low.faces, low.part)
    assert np.isfinite(dressed).all()
    assert np.abs(dressed - model.shape(Phenotype()).rest("low")).max() < 0.06


@pytest.mark.parametrize("style", STYLES)
def test_every_style_covers_what_it_says(style: str) -> None:
    odd = (0.1, 0.8, 0.2)
    look = Look(style=style, hair=odd, hat=Fabric(odd), shirt=Fabric((0.5, 0.5, 0.5)))
    shares = []
    for yaw in (0.0, np.pi):
        out = portrait(look, size=(160, 160), focal=500.0, distance=1.4, height=1.56, yaw=yaw)
        head = (out.identity == 1) & (np.arange(160)[:, None] < 90)
        green = head & (out.image[..., 1] > 1.3 * out.image[..., 0].astype(float))
        shares.append(green.sum() / head.sum())
    front, behind = shares
    if style == "bald":
        assert max(shares) < 0.05
    else:
        assert 0.1 < front < 0.75
        assert behind > max(front, 0.5)


def test_random_looks_are_functions_of_their_seed_and_differ() -> None:
    first, again, other = (random_look(np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert first == again
    assert first != other
    looks = [random_look(np.random.default_rng(seed)) for seed in range(200)]
    assert {look.style for look in looks} == set(STYLES)
    assert len({look.shirt.pattern for look in looks}) == 7
    for look in looks:
        assert np.isfinite(look.row).all()
    skins = np.array([look.skin for look in looks])
    assert (skins[:, 0] > skins[:, 1]).all()
    assert (skins[:, 1] > skins[:, 2]).all()
    assert not any(random_look(np.random.default_rng(seed), gender=0.0).beard for seed in range(50))


def tilted(material: Material, *, shift: float = 0.0, samples: int = 1, size=(120, 90)) -> np.ndarray:
    """Ground 1.5 m below a camera, moved by `shift` m to the right; 0..255 floats."""
    points = np.array([[-40, 1.5, 1.0], [40, 1.5, 1.0], [40, 1.5, 60], [-40, 1.5, 60]], np.float32)
    texture = np.stack((points[:, 0], points[:, 2], 0 * points[:, 0]), 1)
    points[:, 0] += shift
    ground = Surface(points, np.array([[0, 2, 1], [0, 3, 2]], np.int32), texture, material, smooth=False)
    out = Renderer(size, samples=samples)([ground], 100.0, (59.5, 0.0), light=EVEN)
    return out.image.astype(float)


@pytest.mark.parametrize("pattern", [p for p in PATTERNS if p not in ("pinstripes", "print", "dots", "picture")])
def test_a_pattern_of_the_ground_does_not_flicker(pattern: str) -> None:
    material = Material(Fabric((0.9, 0.9, 0.9), (0.2, 0.2, 0.2), pattern, 0.3, seed=4, amount=0.8))
    image = tilted(material)
    # Far away a step of half a pixel must change less than it would from one random value to another.
    step = 0.5 * 1.5 * 100 / 6 / 100
    far = slice(5, 25)
    moved = tilted(material, shift=step * 0.25)
    assert np.abs(moved - image)[far].mean() < 9.0
    near = image[60:]
    assert (pattern == "plain") or near.std() > 4.0


def test_a_texture_moves_with_its_thing() -> None:
    material = Material(Fabric((0.9, 0.9, 0.9), (0.2, 0.2, 0.2), "noise", 0.4, seed=4))
    row = 75
    pixels = 6
    image, moved = tilted(material), tilted(material, shift=pixels * 1.5 / row)
    np.testing.assert_allclose(moved[row, pixels:], image[row, :-pixels], atol=2.0)
    assert np.abs(moved[row] - image[row]).mean() > 5


def test_a_picture_stands_upright_on_a_wall_and_is_averaged_far_away() -> None:
    art = np.zeros((64, 64, 3), np.uint8)
    art[:32, :, 0] = 255
    art[:, 32:, 1] = 255
    wall = np.array([[-1, 1, 2], [1, 1, 2], [1, -1, 2], [-1, -1, 2]], np.float32)
    texture = np.array([[0, -2, 0], [2, -2, 0], [2, 0, 0], [0, 0, 0]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    look = Material(picture=Picture(art), breadth=2.0)
    image = Renderer((64, 64))(
        [Surface(wall, faces, texture, look, smooth=False)], 64.0, (31.5, 31.5), light=EVEN
    ).image
    red, green = image[..., 0] > 100, image[..., 1] > 100
    assert red[:31].all()
    assert not red[33:].any()
    assert green[:, 33:].all()
    assert not green[:, :31].any()
    checker = np.where(np.indices((64, 64)).sum(0)[..., None] % 2, 255, 0).astype(np.uint8).repeat(3, -1)
    wall = wall * (1, 1, 10)
    fine = Surface(wall.astype(np.float32), faces, texture, Material(picture=Picture(checker), breadth=0.5))
    image = Renderer((64, 64))([fine], 100.0, (31.5, 31.5), light=EVEN)
    assert image.image[image.depth < 100].std() < 4


def test_pictures_share_one_store() -> None:
    one, two = (Picture(np.full((5, 3, 3), value, np.uint8)) for value in (10, 200))
    rows, texels, place = packed([Material(picture=one), Look(), Material(picture=two), Material(picture=one)], [two])
    assert len(rows) == 4
    assert len(texels) == len(one.levels) + len(two.levels)
    assert (texels[: place[0]] == 10).all()
    assert (texels[place[0] :] == 200).all()
    assert (rows[0] == rows[3]).all()


def test_pulses_are_averaged_exactly() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        at, duty, width = rng.uniform(-3, 3), rng.uniform(0.1, 0.9), rng.uniform(0.05, 2.5)
        fine = at + width * (np.arange(20000) + 0.5) / 20000 - width / 2
        assert abs(pulse(at, duty, width) - (fine % 1 < duty).mean()) < 1e-3


def test_waves_too_fine_for_the_pixels_are_their_mean() -> None:
    for duty in (0.04, 0.5, 0.96):
        for width in (0.7, 0.93, 1.3, 4.0):
            seen = [wave(width * k, duty, width) for k in range(200)]
            assert np.ptp(seen) == 0
            assert seen[0] == pytest.approx(duty)
        assert np.ptp([wave(0.1 * k + 0.013, duty, 0.1) for k in range(20)]) > 0.2


@pytest.mark.parametrize("pattern", ["tiles", "bricks", "checks", "stripes", "wood"])
def test_far_patterns_show_no_rings(pattern: str) -> None:
    material = Material(Fabric((0.9, 0.9, 0.9), (0.2, 0.2, 0.2), pattern, 0.25, seed=4, amount=0.0))
    # From 30 m a pixel is wider than the pattern.
    points = np.array([[-60, 60, 30], [60, 60, 30], [60, -60, 30], [-60, -60, 30]], np.float32)
    points += np.array((0, 0, 1), np.float32) * points[:, :1] * 0.1
    board = Surface(points, np.array([[0, 1, 2], [0, 2, 3]], np.int32), points, material, smooth=False)
    image = Renderer((120, 90))([board], 100.0, (59.5, 44.5), light=EVEN).image
    assert image is not None
    grey = image.astype(float).mean(-1)
    assert grey.std() < 0.5


def test_noise_has_the_gradient_that_it_says() -> None:
    rng = np.random.default_rng(1)
    values = []
    for at in rng.uniform(-5, 5, (60, 3)):
        value, *gradient = noise(*at, 7)
        values.append(value)
        for axis in range(3):
            ahead = noise(*(at + 1e-5 * np.eye(3)[axis]), 7)[0]
            assert abs((ahead - value) / 1e-5 - gradient[axis]) < 1e-3
    assert np.abs(values).max() <= 1
    many = np.array([value_noise(*at, 3) for at in rng.uniform(-50, 50, (3000, 3))])
    assert abs(many.mean()) < 0.05
    assert 0.2 < many.std() < 0.5


def test_what_is_unknown_is_refused() -> None:
    with pytest.raises(BadInput, match="pattern"):
        Fabric(pattern="tartan")
    with pytest.raises(BadInput, match="style"):
        Look(style="mohawk")
    with pytest.raises(BadInput, match="picture"):
        Picture(np.zeros((4, 4)))
    with pytest.raises(BadInput, match="ground"):
        random_material(np.random.default_rng(0), "sea")


def test_threads_change_no_byte_of_a_person() -> None:
    look, light = random_look(np.random.default_rng(3)), Light.of_world(0.4, 0.9).turned(FLIP)
    one, three = (portrait(look, light=light, threads=threads) for threads in (1, 3))
    assert one.image is not None
    assert three.image is not None
    assert one.image.tobytes() == three.image.tobytes()
    assert one.part.tobytes() == three.part.tobytes()
