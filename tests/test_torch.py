"""What torch's SummaryWriter writes, as a user calls it, is one run with the right roles."""

from pathlib import Path

import pytest

from mlcheck import api

pytestmark = pytest.mark.torch


def test_summary_writer(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.tensorboard import SummaryWriter

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    inputs = torch.randn(64, 4)
    targets = inputs.sum(dim=1, keepdim=True)
    with SummaryWriter(str(tmp_path / "run")) as writer:
        for step in range(60):
            loss = torch.nn.functional.mse_loss(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            writer.add_scalar("Loss/train", loss.item(), step)
            writer.add_scalars("error", {"train": loss.item(), "val": loss.item() + 0.1}, step)
            if step % 20 == 0:
                for name, parameter in model.named_parameters():
                    writer.add_histogram(name, parameter, step)
                    writer.add_histogram(f"{name}.grad", parameter.grad, step)
        writer.add_hparams({"lr": 0.05, "batch_size": 64}, {"final_loss": loss.item()})
    runs = api.load(tmp_path)
    assert [run.name for run in runs] == ["run"]
    run = runs[0]
    loss_series = run.by_name("Loss/train")
    assert (loss_series.role, loss_series.labels["split"], len(loss_series)) == ("loss", "train", 60)
    assert run.by_name("error_val/error").labels["split"] == "val"
    assert run.by_name("0.weight").role == "weight"
    assert run.by_name("0.weight.grad").role == "gradient"
    assert run.by_name("0.weight").labels["param"] == "weight"
    assert run.facts["batch_size"] == 64
    exact = model[0].weight.detach().numpy()
    last = run.by_name("0.weight").columns
    assert last["count"][-1] == exact.size
    report = api.scan([tmp_path])
    assert [f.rule for f in report.findings if f.severity == "error"] == []
