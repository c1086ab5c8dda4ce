"""Masks and segments: padding is never a target, silence never an example."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.data.masks import crop_or_pad, mask_of, masked_mean
from training.data.segments import loud_spans, slices, without_silence


class Draws:
    """Every row its own numbers, as training draws them."""

    def __init__(self, *rows: int) -> None:
        self.rows = rows

    def row(self, row: int, stream: str) -> np.random.Generator:
        return np.random.default_rng([row, *stream.encode()])


def row(frames: int, seed: int) -> torch.Tensor:
    return torch.randn(2, frames, 3, generator=torch.Generator().manual_seed(seed))


def test_what_is_short_is_padded_and_what_is_long_is_cut() -> None:
    rows = [row(5, 1), row(8, 2), row(30, 3)]
    batch, valid = crop_or_pad(rows, 8, Draws(4, 5, 6))
    assert batch.shape == (3, 2, 8, 3) and valid.tolist() == [5, 8, 8]
    assert torch.equal(batch[0, :, :5], rows[0]) and not batch[0, :, 5:].any()
    assert torch.equal(batch[1], rows[1])
    assert any(torch.equal(batch[2], rows[2][:, at : at + 8]) for at in range(23))


def test_a_rows_cut_belongs_to_the_row_and_not_to_the_batch() -> None:
    rows = [row(40, seed) for seed in range(6)]
    whole, _ = crop_or_pad(rows, 8, Draws(0, 1, 2, 3, 4, 5))
    half, _ = crop_or_pad(rows[1::2], 8, Draws(1, 3, 5))
    assert torch.equal(whole[1::2], half)
    with pytest.raises(ValueError):
        crop_or_pad(rows, 8, Draws(0, 1))


def test_the_masked_mean_is_the_mean_without_padding() -> None:
    rows = [row(frames, frames) for frames in (1, 5, 8)]
    batch, valid = crop_or_pad(rows, 8, Draws(0, 1, 2))
    wanted = torch.stack([one.square().mean() for one in rows])
    torch.testing.assert_close(masked_mean(batch.square(), valid), wanted)
    assert mask_of(valid, 8).sum((1, 2, 3)).tolist() == [1, 5, 8]
    assert masked_mean(batch, torch.zeros(3, dtype=torch.long)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("filling", [0.0, 7.0, float("nan"), float("inf")])
def test_what_stands_in_the_padding_changes_no_loss_and_no_gradient(filling: float) -> None:
    batch, valid = crop_or_pad([row(3, 1), row(6, 2)], 6, Draws(0, 1))
    wanted = masked_mean(batch, valid)
    spoiled = torch.where(mask_of(valid, 6) > 0, batch, torch.tensor(filling)).requires_grad_()
    found = masked_mean(spoiled, valid)
    found.sum().backward()
    torch.testing.assert_close(found, wanted)
    assert spoiled.grad is not None
    assert not spoiled.grad[0, :, 3:].any() and bool(spoiled.grad[0, :, :3].all())


def test_silence_between_sounds_is_cut_and_short_rests_stay() -> None:
    rate = 8000
    tone, rest = np.full(rate, 0.5, np.float32), np.zeros(rate, np.float32)
    sound = np.concatenate([rest, tone, rest[: rate // 10], tone, rest, rest, tone, rest])
    spans = loud_spans(sound, rate)
    assert len(spans) == 2
    assert abs(spans[0][0] - rate) < 0.2 * rate and abs(spans[0][1] - 3.1 * rate) < 0.2 * rate
    assert 3.1 * rate < len(without_silence(sound, rate)) < 3.8 * rate
    assert loud_spans(rest, rate) == [] and loud_spans(rest[:0], rate) == []
    assert len(without_silence(rest, rate)) == 0
    assert np.array_equal(without_silence(tone, rate), tone)


def test_slices_pad_the_last_and_leave_out_the_silent() -> None:
    sound = np.concatenate([np.ones(10), np.zeros(10), np.ones(4)]).astype(np.float32)
    found = dict(slices(sound, 10))
    assert list(found) == [0, 2] and found[2].tolist() == [1] * 4 + [0] * 6
    assert dict(slices(sound[:0], 10)) == {}
