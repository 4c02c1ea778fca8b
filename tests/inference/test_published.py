"""Tables of text books and manuals, to the digits that they print.

Each stands as published. The tolerance is one unit of the last digit (some printed 1.2953 for
1.29537), and of standard errors that R printed 1e-3 of them, since R takes its weights from the
last step but one.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.inference.data import read

import backpass as bp


def fitted(X, y, weight=None, **parameters):
    model = bp.LogisticRegression(C=np.inf, **({"tol": 1e-14} | parameters)).fit(X, y, weight)
    return model.inference(X, y, weight)


def agrees(found, published):
    """Compare numbers with texts: one unit of the last digit that a text has."""
    texts = published.split()
    unit = np.array([10.0 ** -len(text.partition(".")[2]) for text in texts])
    difference = np.asarray(found) - np.array(texts, dtype=float)
    assert (np.abs(difference) <= unit).all(), difference / unit


def test_birthwt_of_hosmer_and_lemeshow():
    data = read("birthwt/birthwt.csv")
    data["race"] = data["race"].map({1: "white", 2: "black", 3: "other"})
    X = data[["age", "lwt", "race", "ftv"]]
    found = fitted(X, data["low"], reference={"race": "white"})
    assert list(found.params.index[3:5]) == ["race=black", "race=other"]
    agrees(found.params, "1.2953 -0.0238 -0.0142 1.0039 0.4331 -0.0493")
    agrees(found.bse, "1.0714 0.0337 0.00654 0.4979 0.3622 0.1672")
    agrees([-2 * found.llf, -2 * found.llnull, found.llr], "222.573 234.672 12.0991")
    agrees([found.aic, found.bic], "234.573 254.023")
    assert (found.df_model, found.nobs, found.df_resid) == (5, 189, 183)


def test_ucla_admissions():
    data = read("ucla_admissions/binary.csv")
    X = data[["gre", "gpa"]].assign(rank=data["rank"].astype(str))
    found = fitted(X, data["admit"])
    agrees(found.params, "-3.989979 0.002264 0.804038 -0.675443 -1.340204 -1.551464")
    published = [1.139951, 0.001094, 0.331819, 0.316490, 0.345306, 0.417832]
    np.testing.assert_allclose(found.bse, published, rtol=1e-3)
    agrees([-2 * found.llnull, -2 * found.llf, found.aic], "499.98 458.52 470.52")


def test_hsbdemo_as_nnet_prints_it():
    data = read("hsbdemo/hsbdemo.csv")
    X = data[["ses", "write"]]
    X = X.assign(ses=pd.Categorical(X["ses"], ["low", "middle", "high"]))
    found = fitted(X, data["prog"], reference={"prog": "academic", "ses": "low"})
    assert found.index.names == ["prog", None]
    general = [2.852198, -0.5332810, -1.1628226, -0.0579287]
    vocation = [5.218260, 0.2913859, -0.9826649, -0.1136037]
    # nnet stops short of the optimum
    np.testing.assert_allclose(found.params.loc["general"], general, atol=1e-4)
    np.testing.assert_allclose(found.params.loc["vocation"], vocation, atol=1e-4)
    agrees(found.params.loc["general"], "2.852186 -0.533291 -1.162832 -0.057928")
    agrees(found.params.loc["vocation"], "5.218200 0.291393 -0.982670 -0.113603")
    errors = [1.166441, 0.4437323, 0.5142196, 0.02141097]
    np.testing.assert_allclose(found.bse.loc["general"], errors, rtol=1e-3)
    errors = [1.163552, 0.4763739, 0.5955665, 0.02221996]
    np.testing.assert_allclose(found.bse.loc["vocation"], errors, rtol=1e-3)
    agrees([-2 * found.llf, found.aic], "359.9635 375.9635")
    z = [2.445214, -1.2018081, -2.261334, -2.705562]
    np.testing.assert_allclose(found.tvalues.loc["general"], z, rtol=1e-3)


def test_challenger():
    data = read("challenger_orings/orings.csv")
    X = data[["Temperature"]]
    found = fitted(X, data["Total"] >= 1)
    agrees(found.params, "15.0429 -0.2322")
    np.testing.assert_allclose(found.bse, [7.3786, 0.1082], rtol=1e-3)
    agrees([-2 * found.llnull, -2 * found.llf, found.aic], "28.267 20.315 24.315")


def test_challenger_by_rings():
    """A grouped deviance is not the binary one, so coefficients and errors are compared."""
    data = read("challenger_orings/orings.csv")
    counts = np.column_stack([6 - data["Total"], data["Total"]])
    found = fitted(data[["Temperature"]], counts)
    agrees(found.params, "11.66299 -0.21623")
    np.testing.assert_allclose(found.bse, [3.29626, 0.05318], rtol=1e-3)
    assert found.nobs == 6 * 23


def test_titanic_on_complete_cases():
    data = read("titanic/TitanicSurvival.csv")
    X = data[["age", "sex", "passengerClass"]]
    model = bp.LogisticRegression(C=np.inf, missing="drop").fit(X, data["survived"])
    found = model.inference(X, data["survived"])
    agrees(found.params, "3.522074 -0.034393 -2.497845 -1.280570 -2.289661")
    published = [0.326702, 0.006331, 0.166037, 0.225538, 0.225802]
    np.testing.assert_allclose(found.bse, published, rtol=1e-3)
    agrees([-2 * found.llnull, -2 * found.llf], "1414.62 982.45")
    assert found.nobs == 1046
    assert "rows used        1,046, 263 dropped" in str(found)
    assert str(model.summary()) == str(found)


def test_pima_and_its_test_error():
    data = read("pima_ripley/pima_tr.csv").drop(columns="rownames")
    test = read("pima_ripley/pima_te.csv").drop(columns="rownames")
    X = data.drop(columns="type")
    model = bp.LogisticRegression(C=np.inf).fit(X, data["type"])
    found = model.inference(X, data["type"])
    agrees(
        found.params,
        "-9.773062 0.103183 0.032117 -0.004768 -0.001917 0.083624 1.820410 0.041184",
    )
    published = [1.770386, 0.064694, 0.006787, 0.018541, 0.022500, 0.042827, 0.665514, 0.022091]
    np.testing.assert_allclose(found.bse, published, rtol=1e-3)
    agrees([-2 * found.llnull, -2 * found.llf, found.aic], "256.4 178.4 194.4")
    assert (model.predict(test.drop(columns="type")) != test["type"]).sum() == 66


def test_default_of_islr():
    data = read("islr_default/Default.csv")
    found = fitted(data[["balance"]], data["default"])
    agrees(found.params, "-10.6513 0.0055")
    agrees(found.bse, "0.3612 0.0002")
    found = fitted(data[["student"]], data["default"])
    agrees(found.params, "-3.5041 0.4049")
    agrees(found.bse, "0.0707 0.1150")
    thousands = data.assign(income=data["income"] / 1000.0)
    found = fitted(thousands[["balance", "income", "student"]], data["default"])
    agrees(found.params, "-10.8690 0.0057 0.0030 -0.6468")
    agrees(found.bse, "0.4923 0.0002 0.0082 0.2362")


def test_saheart_of_the_elements_of_statistical_learning():
    data = read("saheart/SAheart.csv")
    X = data[["sbp", "tobacco", "ldl", "famhist", "obesity", "alcohol", "age"]]
    found = fitted(X, data["chd"])
    agrees(
        found.params,
        "-4.1295997 0.0057607 0.0795256 0.1847793 0.9391855 -0.0345434 0.0006065 0.0425412",
    )
    published = [0.9641558, 0.0056326, 0.0262150, 0.0574115, 0.2248691, 0.0291053, 0.0044550]
    np.testing.assert_allclose(found.bse, [*published, 0.0101749], rtol=1e-3)
    agrees([-2 * found.llf], "483.17")


def test_horseshoe_crabs_of_agresti():
    data = read("horseshoe_crab/CrabSatellites.csv")
    found = fitted(data[["width"]], data["satellites"] > 0)
    # R's last step was 9e-7 short of the maximum
    np.testing.assert_allclose(found.params, [-12.3508177, 0.4972306], atol=1e-6)
    agrees(found.bse, "2.629 0.102")
    agrees([-2 * found.llf], "194.45")


def test_endometrial_is_separated_by_one_column():
    data = read("endometrial/endometrial.csv")
    X = data[["NV", "PI", "EH"]]
    with pytest.warns(bp.SeparationWarning, match=r"13 rows: .* along NV to \+inf"):
        model = bp.LogisticRegression(C=np.inf).fit(X, data["HG"])
    found = model.inference(X, data["HG"])
    assert found.params["NV"] == np.inf and np.isnan(found.bse["NV"])
    assert np.isfinite(model.coef_).all()
    agrees(found.params.drop("NV"), "4.30452 -0.04218 -2.90261")
    agrees(found.bse.drop("NV"), "1.63730 0.04433 0.84555")
    agrees([-2 * found.llnull, -2 * found.llf, found.aic], "104.903 55.393 63.393")
