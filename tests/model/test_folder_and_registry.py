"""Model folders, and models by name: installing, finding, and refusing what is unsafe."""

import contextlib
import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from morpheus.errors import ModelError
from morpheus.model import (
    ModelConfig,
    WindowRecipe,
    fetch_model,
    find_model,
    hausen2020,
    import_model,
    installed_models,
    load_model,
    model_directory,
    registry,
    save_model,
    shipped_models,
)
from morpheus.model.hausen2020 import CONFIG, convert_checkpoint, read_checkpoint


@pytest.fixture
def folder(tmp_path, small_model):
    save_model(small_model, tmp_path / "small", "# card\n")
    return tmp_path / "small"


def test_round_trip(folder, small_model):
    found = load_model(folder)
    raw = (folder / "weights.safetensors").read_bytes()
    assert found.config.weights_sha256 == hashlib.sha256(raw).hexdigest()
    assert found.weights.keys() == small_model.weights.keys()
    assert all(np.array_equal(found.weights[k], w) for k, w in small_model.weights.items())
    assert (folder / "README.md").read_text() == "# card\n"
    assert sorted(p.name for p in folder.parent.iterdir()) == ["small"]  # nothing temporary left


def test_the_same_weights_are_the_same_bytes(tmp_path, small_model):
    shuffled = dict(reversed(small_model.weights.items()))
    a = save_model(small_model, tmp_path / "a", "")
    b = save_model(type(small_model)(small_model.config, shuffled), tmp_path / "b", "")
    assert a.config.weights_sha256 == b.config.weights_sha256


def test_existing_folder_is_kept_unless_asked(folder, small_model):
    with pytest.raises(ModelError, match="overwrit"):
        save_model(small_model, folder, "new")
    assert (folder / "README.md").read_text() == "# card\n"
    save_model(small_model, folder, "new", overwrite=True)
    assert (folder / "README.md").read_text() == "new"


def test_tampered_weights(folder):
    path = folder / "weights.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ModelError, match=r"sha256.*altered"):
        load_model(folder)


def test_a_pickle_with_its_checksum_is_not_opened(folder, tmp_path):
    """Even with the right checksum, what is no safetensors file is refused and not executed."""
    trace = tmp_path / "executed"

    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(trace),)

    raw = pickle.dumps(Bomb())
    (folder / "weights.safetensors").write_bytes(raw)
    config = json.loads((folder / "config.json").read_text())
    config["weights_sha256"] = hashlib.sha256(raw).hexdigest()
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="not a usable safetensors file"):
        load_model(folder)
    (tmp_path / "model.pkl").write_bytes(raw)
    for function in (load_model, import_model):
        with pytest.raises(ModelError, match="never opened"):
            function(tmp_path / "model.pkl")
    assert not trace.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "upgrade"),
        ({"window": {"size": 40, "margin": 20, "stride": 1}}, "owns no pixel"),
        ({"window": {"size": 18, "margin": 2, "stride": 1}}, "cannot be halved"),
        ({"bands": ["H", "H"]}, "distinct"),
        ({"surprise": 1}, "surprise"),
        ({"name": "../escape"}, "distinct name of letters"),
        ({"name": "/etc/model"}, "distinct name of letters"),
        ({"name": ""}, "distinct name of letters"),
        ({"name": 5}, "distinct name of letters"),
        ({"classes": ["../../x", "b", "c", "d", "e"]}, "distinct classes of letters"),
        ({"classes": ["a", "a", "c", "d", "e"]}, "distinct classes"),
        ({"bands": ["H", 2]}, "distinct bands of letters"),
        ({"pixel_scale": "0.06"}, "pixel scale is '0.06'"),
        ({"pixel_scale": 0}, "pixel scale is 0"),
        ({"unit": "parsnips"}, "none that astropy knows"),
        ({"window": {"size": 2**40, "margin": 4, "stride": 1}}, "size is 1099511627776"),
        ({"window": {"size": 16.0, "margin": 4, "stride": 1}}, r"size is 16\.0"),
        ({"network": {"batch_norm_epsilon": -10}}, "is -10; it is a positive number"),
        ({"network": {"down_filters": [4.0, 8], "up_filters": [4, 8]}}, r"filters is 4\.0"),
        ({"network": {"down_convolutions": 2.5}}, r"convolutions is 2\.5"),
        ({"network": {"depth": 3}}, "depth"),
        ({"bands": ["H", "J", "V"]}, "do not fit"),
    ],
)
def test_unusable_configuration(folder, change, message):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelError, match=message):
        load_model(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "{"])
def test_config_that_is_none(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelError, match=r"config\.json"):
        load_model(folder)


def test_a_failed_replacement_keeps_the_model(folder, small_model, monkeypatch):
    real = Path.rename

    def rename(self, target):
        if self.name == "new":
            raise OSError(5, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(ModelError, match="Input/output error"):
        save_model(small_model, folder, "new", overwrite=True)
    assert (folder / "README.md").read_text() == "# card\n"
    load_model(folder)


def test_a_card_in_another_encoding(models, folder):
    (folder / "README.md").write_bytes("Tübingen".encode("latin-1"))
    import_model(folder)
    assert "bingen" in (models / "small/README.md").read_text()


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_damaged_archive_is_an_error_or_the_checkpoint(position, flip):
    """Whatever is wrong with a wheel, it is a ModelError, never another exception."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/model-440.index", bytes(range(256)))
        archive.writestr("m/model-440.data-00000-of-00001", bytes(range(256)) * 2)
    raw = bytearray(buffer.getvalue())
    raw[position % len(raw)] ^= flip
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "damaged.whl"
        path.write_bytes(raw)
        with contextlib.suppress(ModelError):
            read_checkpoint(path)


def test_missing_files(folder, tmp_path):
    (folder / "weights.safetensors").unlink()
    with pytest.raises(ModelError, match="not a readable model folder"):
        load_model(folder)
    with pytest.raises(ModelError, match=r"there is no config\.json in it"):
        load_model(tmp_path)


def test_the_published_recipe():
    """The numbers of Hausen & Robertson (2020); the order of the bands is H, J, V, z."""
    assert CONFIG.bands == ("F160W", "F125W", "F606W", "F850LP")
    assert (CONFIG.window.size, CONFIG.window.margin, CONFIG.window.stride) == (40, 5, 1)
    assert (CONFIG.pixel_scale, CONFIG.unit) == (0.06, "electron / s")
    assert hausen2020.REQUIREMENT.count("--hash=sha256:") == 2


def test_config_json_round_trip():
    assert ModelConfig.from_json(CONFIG.to_json()) == CONFIG


def test_recipes_that_leave_gaps():
    with pytest.raises(ModelError, match="gaps"):
        WindowRecipe(40, 5, 31)


# ---- by name


def test_model_directory_is_the_user_s_unless_set(monkeypatch, tmp_path):
    monkeypatch.setenv("MORPHEUS_MODELS", str(tmp_path))
    assert model_directory() == tmp_path
    monkeypatch.delenv("MORPHEUS_MODELS")
    assert model_directory().parts[-2:] == ("morpheus", "models")


def test_find(models, folder):
    import_model(folder)
    assert find_model("small") == models / "small" == installed_models()["small"]
    assert find_model(folder) == folder
    with pytest.raises(ModelError, match=r"unknown model 'nosuch'.*hausen2020, small"):
        find_model("nosuch")
    with pytest.raises(ModelError, match="morpheus models fetch hausen2020"):
        find_model("hausen2020")


def test_import_refuses_what_is_there(models, folder):
    import_model(folder)
    with pytest.raises(ModelError, match="--overwrite"):
        import_model(folder)
    import_model(folder, overwrite=True)


def test_import_of_nothing(models, tmp_path):
    with pytest.raises(ModelError, match="does not exist"):
        import_model(tmp_path / "no.whl")
    (tmp_path / "text.whl").write_text("no wheel")
    with pytest.raises(ModelError, match="neither a wheel"):
        import_model(tmp_path / "text.whl")
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as archive:
        archive.writestr("other/__init__.py", "")
    with pytest.raises(ModelError, match=r"model-440\.index is missing"):
        import_model(tmp_path / "other.whl")
    assert not installed_models()


def test_another_checkpoint_is_refused():
    with pytest.raises(ModelError, match="not the published checkpoint"):
        convert_checkpoint(b"", b"something else")


@pytest.fixture(params=["wheel", "sdist", "folder"])
def package(request, shared, tmp_path):
    """The published checkpoint in each of the forms in which it travels."""
    source = shared / "reference/hausen2020/checkpoint"
    if request.param == "folder":
        return source
    inner = "morpheus/core/model_weights"
    if request.param == "wheel":
        path = tmp_path / "morpheus_astro-0.5.1-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for file in source.iterdir():
                archive.write(file, f"{inner}/{file.name}")
    else:
        path = tmp_path / "morpheus-astro-0.5.1.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for file in source.iterdir():
                archive.add(file, f"morpheus-astro-0.5.1/{inner}/{file.name}")
    return path


def test_import_of_the_published_network(package, models):
    model = import_model(package)
    assert model.n_parameters == 76_181
    installed = load_model(models / "hausen2020")
    assert installed.config.weights_sha256 == model.config.weights_sha256
    card = (models / "hausen2020/README.md").read_text()
    assert "ApJS 248, 20" in card
    assert "MIT" in card


def test_truncated_package(package, tmp_path):
    if package.is_dir():
        pytest.skip("a folder is not truncated")
    cut = tmp_path / package.name.replace("0.5.1", "cut")
    cut.write_bytes(package.read_bytes()[:5000])
    with pytest.raises(ModelError):
        read_checkpoint(cut)


def test_published_weights_are_what_was_converted_before(hausen2020, tmp_path):
    """Pins the conversion: names, order and axes of the arrays, and the file format."""
    saved = save_model(hausen2020, tmp_path / "m", "")
    pinned = "69706d29ba26baff68d13b62c2b5807906dc554d1efbc11e4e3350de46f98f51"
    assert saved.config.weights_sha256 == pinned


# ---- fetching: pip itself is not the subject, so a stand-in takes its place


def test_fetch_checks_and_installs(models, monkeypatch, shared):
    commands = []

    def pip(command, **_):
        commands.append(command)
        destination = command[command.index("--dest") + 1]
        requirement = Path(command[command.index("--requirement") + 1]).read_text()
        assert requirement.startswith("morpheus-astro==0.5.1 --hash=sha256:38b5138a")
        with zipfile.ZipFile(f"{destination}/morpheus_astro-0.5.1-py3-none-any.whl", "w") as wheel:
            for file in (shared / "reference/hausen2020/checkpoint").iterdir():
                wheel.write(file, f"morpheus/core/model_weights/{file.name}")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(registry.subprocess, "run", pip)
    fetch_model("hausen2020")
    assert commands[0][:4] == [sys.executable, "-m", "pip", "download"]
    assert "--require-hashes" in commands[0]
    assert list(installed_models()) == ["hausen2020"]
    fetch_model("hausen2020")  # here already: nothing is downloaded
    assert len(commands) == 1


def test_fetch_without_network_says_what_to_do(models):
    """The real pip, which is not allowed to reach any index."""
    environment = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}
    program = (
        "from morpheus.model import fetch_model\n"
        "from morpheus.errors import ModelError\n"
        "try: fetch_model('hausen2020')\n"
        "except ModelError as e: print(e)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cannot download morpheus-astro==0.5.1" in done.stdout
    assert "morpheus models import FILE" in done.stdout
    assert not installed_models()


def test_fetch_unknown(models):
    with pytest.raises(ModelError, match="hausen2020"):
        fetch_model("nosuch")


# ---- models that come with the program


@pytest.fixture
def shipped(models, tmp_path, monkeypatch, dense_model):
    monkeypatch.setattr(registry, "_SHIPPED", tmp_path / "shipped")
    save_model(dense_model, tmp_path / "shipped/dense", "# of the program\n")
    return tmp_path / "shipped/dense"


def test_shipped_models_are_there_without_installing(models, shipped):
    assert installed_models() == {"dense": shipped} == shipped_models()
    assert find_model("dense") == shipped


def test_the_name_of_a_shipped_model_stands_for_nothing_else(models, shipped, folder):
    # found by its name even where a folder of the user has it, from before or by hand
    import_model(folder)
    (models / "small").rename(models / "dense")
    assert find_model("dense") == shipped
    for overwrite in (False, True):
        with pytest.raises(ModelError, match="dense comes with Morpheus"):
            import_model(shipped, overwrite=overwrite)
    import_model(folder)
    assert list(installed_models()) == ["dense", "small"]


def test_what_the_program_ships_can_be_loaded():
    for name, path in shipped_models().items():
        model = load_model(path)
        assert model.config.name == name
        assert (path / "README.md").is_file()


def test_there_is_no_model_where_none_is_shipped(models):
    assert shipped_models() == {}
    with pytest.raises(ModelError, match=f"unknown model '{registry.DEFAULT_MODEL}'"):
        find_model(registry.DEFAULT_MODEL)
