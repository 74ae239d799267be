"""What the methods cite. Each entry is (as cited in a sentence, as listed)."""

__all__ = ["REFERENCES", "cite"]

REFERENCES: dict[str, tuple[str, str]] = {
    "carpenter2013": (
        "Carpenter et al., 2013",
        "Carpenter JR, Roger JH, Kenward MG. Analysis of longitudinal trials with protocol deviation: a framework for "
        "relevant, accessible assumptions, and inference via multiple imputation. Journal of Biopharmaceutical "
        "Statistics 2013; 23: 1352–1371. doi:10.1080/10543406.2013.834911",
    ),
    "consort2025": (
        "CONSORT 2025",
        "Hopewell S, Chan A-W, Collins GS, et al. CONSORT 2025 statement: updated guideline for reporting randomised "
        "trials. PLOS Medicine 2025; 22: e1004587. doi:10.1371/journal.pmed.1004587",
    ),
    "gelman2006": (
        "Gelman & Stern, 2006",
        "Gelman A, Stern H. The difference between “significant” and “not significant” is not itself statistically "
        "significant. The American Statistician 2006; 60: 328–331. doi:10.1198/000313006X152649",
    ),
    "holm1979": (
        "Holm, 1979",
        "Holm S. A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 1979; 6: "
        "65–70.",
    ),
    "ich2019": (
        "ICH E9(R1), 2019",
        "International Council for Harmonisation. E9(R1): Addendum on estimands and sensitivity analysis in clinical "
        "trials to the guideline on statistical principles for clinical trials. 2019.",
    ),
    "kaplan1958": (
        "Kaplan & Meier, 1958",
        "Kaplan EL, Meier P. Nonparametric estimation from incomplete observations. Journal of the American "
        "Statistical Association 1958; 53: 457–481. doi:10.1080/01621459.1958.10501452",
    ),
    "kenward1997": (
        "Kenward & Roger, 1997",
        "Kenward MG, Roger JH. Small sample inference for fixed effects from restricted maximum likelihood. Biometrics "
        "1997; 53: 983–997. doi:10.2307/2533558",
    ),
    "pocock1975": (
        "Pocock & Simon, 1975",
        "Pocock SJ, Simon R. Sequential treatment assignment with balancing for prognostic factors in the controlled "
        "clinical trial. Biometrics 1975; 31: 103–115. doi:10.2307/2529712",
    ),
    "rosenberger2019": (
        "Rosenberger et al., 2019",
        "Rosenberger WF, Uschner D, Wang Y. Randomization: the forgotten component of the randomized clinical trial. "
        "Statistics in Medicine 2019; 38: 1–12. doi:10.1002/sim.7901",
    ),
    "rubin1987": (
        "Rubin, 1987",
        "Rubin DB. Multiple imputation for nonresponse in surveys. New York: Wiley, 1987. doi:10.1002/9780470316696",
    ),
    "satterthwaite1946": (
        "Satterthwaite, 1946",
        "Satterthwaite FE. An approximate distribution of estimates of variance components. Biometrics Bulletin 1946; "
        "2: 110–114. doi:10.2307/3002019",
    ),
    "white2005": (
        "White & Thompson, 2005",
        "White IR, Thompson SG. Adjusting for partially missing baseline measurements in randomized trials. Statistics "
        "in Medicine 2005; 24: 993–1007. doi:10.1002/sim.1981",
    ),
}


def cite(*keys: str) -> str:
    """(Kenward & Roger, 1997; Satterthwaite, 1946)."""
    return f"({'; '.join(REFERENCES[key][0] for key in keys)})"
