"""What to do about an event, a sentence each, with the practice it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scaleplan.forecasting.events import EventKind

ADVICE: dict[EventKind, str] = {
    "nan": "Stop and look at the batch, the loss scale and the last checkpoint; isolated ones under a dynamic loss "
    "scale are skipped steps, more are not.",
    "spike": "Watch whether it comes back; if such spikes return or linger, do as PaLM did: restart about 100 steps "
    "before and skip 200 to 500 batches (2204.02311).",
    "grad_spike": "Watch the loss, which often follows, and see that the norm is clipped; a better initialisation took "
    "OLMo 2's spike score of gradient norms from 0.40 to 0.03 (2501.00656).",
    "divergence": "Stop the run, go back to a checkpoint about 100 steps before and skip 200 to 500 batches (PaLM, "
    "2204.02311); K2-65B was restarted from checkpoints after two spikes. If it returns, lower the "
    "learning rate.",
    "plateau": "Look at the learning rate, the initialisation, the shift of the labels and the order of the data "
    "before spending more on it.",
    "transient": "Nothing yet: a rise during warm-up that recovers is common; if it returns, warm up for longer or "
    "lower the peak rate.",
    "off_band": "Compare data, batch size and learning rate with the plan; the forecast no longer holds.",
    "low": "Look for validation text in the training data, duplicated data or a change of the data or of the loss's "
    "unit before believing it.",
    "stall": "See whether the loader gives new batches and the weights are updated.",
    "throughput": "Look for a slow node, a full disk, a starved loader or a throttled accelerator.",
}
