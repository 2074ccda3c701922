"""What a result resolved, for the ``inputs`` of its envelope."""

from __future__ import annotations

from typing import Any

from scaleplan.compute.accounting import Accounting
from scaleplan.laws.law import Law


def law_inputs(law: Law) -> dict[str, Any]:
    """What a law counts, for ``inputs``."""
    measure = law.measure
    return {
        "id": law.id,
        "file": law.file,
        "paper": law.paper,
        "counts_params": law.counts_params.value,
        "counts_flop": law.counts_flop.value,
        "loss_unit": measure.unit,
        "loss_corpus": measure.corpus,
        "loss_tokenizer": measure.tokenizer,
        "held": dict(law.held),
        "bands": None if law.uncertainty is None else law.uncertainty.source,
    }


def accounting_inputs(accounting: Accounting) -> dict[str, Any]:
    """The convention of ``train_flop`` and the shape assumed in conversions, for ``inputs``."""
    return {
        "flop_convention": accounting.flop.value,
        "flop_convention_text": accounting.flop.text,
        "assumed_shape": accounting.embeddings.text,
    }
