"""Calibrations after `store`, `remove` and `to`, and in copies, pickles and files."""

import copy
import pickle

import pytest
import torch

import hopfield
from calibrating import calibrated, hide, noise, normal, seeded
from hopfield import Cue, ModernHopfield, errors


def changed(memory):
    memory.store(normal(20, 20, 6))
    memory.remove(range(5))


@pytest.mark.parametrize("strangers", [None, normal(100, 20, 8)])
def test_store_and_remove_renew_the_calibration(strangers):
    cues = noise(normal(30, 20, 1), seeded(7))
    memory, other = (ModernHopfield(8.0, similarity="euclidean") for _ in range(2))
    for each in (memory, other):
        each.store(normal(30, 20, 1))
    before = memory.calibrate(noise, 0.1, strangers=strangers)
    changed(memory)
    changed(other)
    expected = other.calibrate(noise, 0.1, strangers=strangers)
    answer = memory.retrieve(cues)
    assert answer.p_value.equal(other.retrieve(cues).p_value) and answer.calibrated is True
    assert memory.calibration.strangers.equal(expected.strangers)
    assert not memory.calibration.strangers.equal(before.strangers)
    assert memory.calibration.n_patterns == 45


def test_a_stranger_that_was_stored_is_none_any_more():
    memory, strangers = ModernHopfield(8.0, similarity="euclidean"), normal(40, 20, 8)
    memory.store(normal(30, 20, 1))
    memory.calibrate(noise, 0.1, strangers=strangers)
    memory.store(strangers[:10])
    assert len(memory.calibration.strangers) == 30
    assert memory.retrieve(noise(strangers[:10], seeded(3))).accepted.double().mean() > 0.5
    memory.store(strangers[10:])
    assert len(memory.calibration.strangers) == 0 and memory.calibration.threshold == torch.inf
    assert memory.retrieve(strangers).p_value.unique().tolist() == [1]


COPIES = {
    "file": lambda memory, path: (memory.save(path), hopfield.load(path))[1],
    "pickle": lambda memory, path: pickle.loads(pickle.dumps(memory)),
    "copy": lambda memory, path: copy.deepcopy(memory),
}


@pytest.mark.parametrize("form", COPIES)
@pytest.mark.parametrize("network", ["euclidean", "packed"])
def test_a_copy_keeps_the_scores_and_does_not_know_the_damage(form, network, tmp_path):
    memory, calibration, recorder, _ = calibrated(network, "hidden")
    other = COPIES[form](memory, tmp_path / "memory.hop")
    assert vars(other.calibration).keys() == vars(calibration).keys()
    for name, value in vars(calibration).items():
        there = getattr(other.calibration, name)
        assert there.equal(value) if isinstance(value, torch.Tensor) else there == value, name
    cues = recorder.cues[0]
    before = memory.retrieve(cues)
    answer = other.retrieve(cues)
    assert answer.p_value.equal(before.p_value) and answer.calibrated is True

    other.remove(0)
    with pytest.warns(errors.CalibrationWarning, match="24 patterns before"):
        outdated = other.retrieve(cues)
    assert outdated.calibrated is False and "by a calibration of other patterns" in repr(outdated)
    assert other.retrieve(cues).calibrated is False, "the warning comes once"
    assert other.calibration.strangers.equal(calibration.strangers)
    again = COPIES[form](other, tmp_path / "again.hop")
    assert other.calibrate(hide, 0.2).n_patterns == 23
    assert other.retrieve(cues).calibrated is True
    if form == "file":
        with pytest.warns(errors.CalibrationWarning):
            assert again.retrieve(cues).calibrated is False


def test_a_file_holds_the_calibration_of_what_it_holds(tmp_path):
    memory = ModernHopfield(8.0, similarity="euclidean")
    memory.store(normal(30, 6, 1))
    memory.calibrate(noise, 0.1, amount=None)
    memory.store(normal(30, 6, 2))
    memory.save(tmp_path / "memory.hop")
    other = hopfield.load(tmp_path / "memory.hop")
    assert other.calibration.n_patterns == 60
    assert other.retrieve(normal(3, 6, 3)).calibrated is True
    memory.remove(range(60))
    memory.save(tmp_path / "memory.hop")
    assert hopfield.load(tmp_path / "memory.hop").calibration is None


def test_moving_a_memory_keeps_its_calibration():
    memory, _, recorder, _ = calibrated("euclidean", "noise")
    p = memory.retrieve(recorder.cues[0]).p_value
    other = copy.deepcopy(memory).to("cpu")
    assert other.retrieve(recorder.cues[0]).calibrated is True
    memory.to(dtype=torch.float64)
    assert memory.retrieve(recorder.cues[0]).calibrated is True
    assert (memory.retrieve(recorder.cues[0]).p_value - p).abs().max() < 0.5
    assert memory.retrieve(Cue(recorder.cues[0].state.half())).p_value.dtype == torch.float32


def test_an_error_of_the_damage_while_renewing_says_what_to_do():
    memory = ModernHopfield(8.0, similarity="euclidean")
    memory.store(normal(30, 20, 1))
    masks = torch.rand(30, 20, generator=seeded(2)) < 0.5
    memory.calibrate(lambda x: Cue(x, masks), 0.1)
    memory.store(normal(1, 20, 3))
    with pytest.raises(errors.ShapeError) as caught:
        memory.retrieve(normal(1, 20, 3))
    assert "Call calibrate again" in caught.value.__notes__[0]
    memory.calibrate(noise, 0.1)
    assert memory.retrieve(normal(1, 20, 3)).accepted.all()
