"""Makes the dumps here, and `expected.json` with what the libraries themselves say of them.

    python -m venv /tmp/trees && /tmp/trees/bin/pip install xgboost==3.2.0 lightgbm==4.7.0 pandas
    /tmp/trees/bin/python make_dumps.py

Depths come from the depth that each library writes beside a node, importances from `get_score` and `feature_importance`.
"""

import json
from pathlib import Path

import lightgbm as lgb
import numpy as np
import xgboost as xgb

HERE = Path(__file__).parent
random = np.random.default_rng(0)
X = random.normal(size=(300, 6))
BINARY = ((X[:, 0] + X[:, 2] * X[:, 1]) > 0).astype(int)
CLASSES = (X[:, 0] > 0.3).astype(int) + (X[:, 2] > 0)
NAMES = ["age 0", "c:1", "c2", "c3", "c4", "c5"]


def nodes_of(node):
    yield node
    for child in node.get("children", ()):
        yield from nodes_of(child)


def said_by_xgboost(booster, per_round):
    trees = [list(nodes_of(json.loads(text))) for text in booster.get_dump(with_stats=True, dump_format="json")]
    # A leaf has no depth of its own: it is one below its parent, and each question has leaves below it.
    sizes = [(max([one["depth"] + 1 for one in tree if "depth" in one], default=0), len(tree)) for tree in trees]
    rounds = [max(sizes[start : start + per_round]) for start in range(0, len(sizes), per_round)]
    kinds = ("gain", "weight", "cover", "total_gain", "total_cover")
    return {
        "rounds": rounds,
        "trees": sizes,
        "importance": {kind: booster.get_score(importance_type=kind) for kind in kinds},
    }


def said_by_lightgbm(booster, per_round):
    frame = booster.trees_to_dataframe()
    sizes = [(int(tree["node_depth"].max()) - 1, len(tree)) for _, tree in frame.groupby("tree_index")]
    rounds = [max(sizes[start : start + per_round]) for start in range(0, len(sizes), per_round)]
    names = booster.feature_name()
    importance = {
        ours: dict(zip(names, booster.feature_importance(theirs).tolist(), strict=True))
        for ours, theirs in (("weight", "split"), ("gain", "gain"), ("total_gain", "gain"))
    }
    return {"rounds": rounds, "trees": sizes, "importance": importance}


def main():
    expected = {}
    data = xgb.DMatrix(X, BINARY, feature_names=NAMES)
    booster = xgb.train({"objective": "binary:logistic", "max_depth": 4, "gamma": 3.0}, data, 4)
    booster.save_model(HERE / "xgboost-pruned.json")
    expected["xgboost-pruned.json"] = said_by_xgboost(booster, 1)
    booster.dump_model(HERE / "xgboost-trees.json", with_stats=True, dump_format="json")
    expected["xgboost-trees.json"] = expected["xgboost-pruned.json"]
    booster.dump_model(HERE / "xgboost-trees.txt", with_stats=True)
    expected["xgboost-trees.txt"] = expected["xgboost-pruned.json"]

    several = {"objective": "multi:softprob", "num_class": 3, "num_parallel_tree": 2, "max_depth": 3, "booster": "dart"}
    booster = xgb.train({**several, "subsample": 0.7, "seed": 1}, xgb.DMatrix(X, CLASSES), 2)
    booster.save_model(HERE / "xgboost-classes.json")
    expected["xgboost-classes.json"] = said_by_xgboost(booster, 6)

    booster = xgb.train({"booster": "gblinear"}, data, 2)
    booster.save_model(HERE / "xgboost-linear.json")

    quiet = {"verbose": -1, "num_leaves": 9}
    booster = lgb.train({**quiet, "objective": "binary"}, lgb.Dataset(X, BINARY), 4)
    booster.save_model(HERE / "lightgbm.txt")
    (HERE / "lightgbm.json").write_text(json.dumps(booster.dump_model()))
    expected["lightgbm.txt"] = expected["lightgbm.json"] = said_by_lightgbm(booster, 1)

    several = {**quiet, "num_leaves": 4, "objective": "multiclass", "num_class": 3}
    booster = lgb.train(several, lgb.Dataset(X, CLASSES, feature_name=[f"feature_{i}" for i in range(6)]), 3)
    booster.save_model(HERE / "lightgbm-classes.txt")
    expected["lightgbm-classes.txt"] = said_by_lightgbm(booster, 3)
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1))


if __name__ == "__main__":
    main()
