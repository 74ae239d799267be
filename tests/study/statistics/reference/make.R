# Writes r.json, which our statistics are compared with:
#   Rscript tests/study/statistics/reference/make.R
# from the repository's root, with the tables of data.py beside this file. It needs lme4, lmerTest, pbkrtest, nlme,
# emmeans and jsonlite, all in Debian; where mmrm is installed too, what it says goes into mmrm.json.
suppressMessages({
  library(lmerTest); library(pbkrtest); library(nlme); library(emmeans); library(jsonlite)
})
emm_options(lmer.df = "satterthwaite")
here <- "tests/study/statistics/reference"
table_of <- function(name) read.csv(file.path(here, paste0(name, ".csv")), check.names = FALSE)

named <- function(values, names) { values <- as.list(as.numeric(values)); names(values) <- names; values }
pick <- function(i, p) { row <- rep(0, p); row[i] <- 1; row }

# Means and pairwise contrasts of one factor, by lmerTest's or pbkrtest's degrees of freedom.
means_of <- function(model, spec, at = list(), mode = NULL) {
  both <- lapply(if (is.null(mode)) c("satterthwaite", "kenward-roger") else mode, function(df) {
    grid <- if (is.null(mode)) emmeans(model, spec, at = at, lmer.df = df) else emmeans(model, spec, at = at)
    rows <- as.data.frame(grid)
    pairs <- as.data.frame(contrast(grid, "pairwise", adjust = "none"))
    list(level = as.character(rows[[spec]]), mean = rows$emmean, se = rows$SE, df = rows$df,
         contrast = as.character(pairs$contrast), difference = pairs$estimate, contrast_se = pairs$SE,
         contrast_df = pairs$df)
  })
  names(both) <- if (is.null(mode)) c("satterthwaite", "kenward-roger") else mode
  both
}

mixed <- function(formula, data, reml = TRUE, tests = list(), means = NULL, at = list()) {
  tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5), calc.derivs = FALSE)
  model <- lmerTest::lmer(formula, data = data, REML = reml, control = tight)
  table <- coef(summary(model))
  names <- rownames(table)
  p <- length(names)
  variances <- as.data.frame(VarCorr(model))
  found <- list(
    coefficients = named(table[, 1], names), se = named(table[, 2], names), df = named(table[, 3], names),
    loglik = as.numeric(logLik(model)), aic = AIC(model), singular = isSingular(model),
    variances = named(variances$vcov, ifelse(is.na(variances$var2), paste(variances$grp, variances$var1),
                                             paste(variances$grp, variances$var1, variances$var2)))
  )
  found$f <- lapply(tests, function(term) {
    rows <- do.call(rbind, lapply(which(attr(getME(model, "X"), "assign") == match(term, attr(terms(model), "term.labels"))), pick, p = p))
    satterthwaite <- contestMD(model, rows)
    out <- list(satterthwaite = c(satterthwaite$`F value`, satterthwaite$NumDF, satterthwaite$DenDF))
    if (reml) {
      kr <- contestMD(model, rows, ddf = "Kenward-Roger")
      out$`kenward-roger` <- c(kr$`F value`, kr$NumDF, kr$DenDF)
    }
    out
  })
  names(found$f) <- unlist(tests)
  if (reml) {
    adjusted <- vcovAdj(model)
    found$kr_se <- named(sqrt(diag(as.matrix(adjusted))), names)
    found$kr_df <- named(sapply(1:p, function(i) Lb_ddf(pick(i, p), as.matrix(vcov(model)), adjusted)), names)
  }
  if (!is.null(means)) found$means <- means_of(model, means, at)
  found
}

generalised <- function(formula, data, correlation = NULL, weights = NULL, method = "REML") {
  model <- gls(formula, data = data, correlation = correlation, weights = weights, method = method,
               na.action = na.omit, control = glsControl(tolerance = 1e-11, opt = "nlminb", msTol = 1e-12, msMaxIter = 500, maxIter = 500))
  names <- names(coef(model))
  found <- list(coefficients = named(coef(model), names), se = named(sqrt(diag(vcov(model))), names),
                loglik = as.numeric(logLik(model)), aic = AIC(model))
  # Under ML nlme takes n - p as divisor of the covariance of the coefficients; here it is brought to n.
  if (method == "ML") found$se <- named(sqrt(diag(vcov(model)) * (model$dims$N - model$dims$p) / model$dims$N), names)
  found
}

btheb <- table_of("btheb")
btheb$treatment <- factor(btheb$treatment, levels = c("TAU", "BtheB"))
btheb$month <- factor(btheb$time)
btheb$visit <- btheb$time / 2
levels_of_arm <- c("robot", "chat", "worksheet")
diaries <- lapply(c(diary = "diary", flat = "flat", parallel = "parallel"), function(name) {
  data <- table_of(name)
  data$arm <- factor(data$arm, levels = levels_of_arm)
  data$date <- factor(data$day)
  data
})
diary <- diaries$diary
week <- subset(diary, day <= 5)
week$date <- factor(week$day)
last <- subset(diary, day == 14)
sleep <- lme4::sleepstudy
children <- as.data.frame(Orthodont)
children$Sex <- factor(children$Sex, levels = c("Male", "Female"))
children$when <- (children$age - 6) / 2
children$occasion <- factor(children$age)

ancova <- function(formula, data, means) {
  model <- lm(formula, data = data)
  table <- coef(summary(model))
  list(coefficients = named(table[, 1], rownames(table)), se = named(table[, 2], rownames(table)),
       loglik = as.numeric(logLik(model)), aic = AIC(model), residual_df = model$df.residual,
       f = list(arm = list(residual = c(anova(update(model, . ~ . - arm), model)$F[2], 2, model$df.residual))),
       means = means_of(model, means, mode = "residual"))
}

set <- list(
  btheb_intercept = mixed(bdi ~ bdi.pre + time + treatment + drug + length + (1 | subject), btheb, tests = list("treatment")),
  btheb_intercept_ml = mixed(bdi ~ bdi.pre + time + treatment + drug + length + (1 | subject), btheb, reml = FALSE),
  btheb_months = mixed(bdi ~ bdi.pre + month * treatment + (1 | subject), btheb,
                       tests = list("month", "month:treatment"), means = "treatment", at = list(month = "8")),
  btheb_slope = mixed(bdi ~ bdi.pre + time * treatment + (time | subject), btheb, tests = list("time:treatment")),
  sleep_slope = mixed(Reaction ~ Days + (Days | Subject), sleep, tests = list("Days")),
  sleep_slope_ml = mixed(Reaction ~ Days + (Days | Subject), sleep, reml = FALSE),
  orthodont_slope = mixed(distance ~ age * Sex + (age | Subject), children, tests = list("age:Sex")),
  orthodont_intercept = mixed(distance ~ age * Sex + (1 | Subject), children, tests = list("age:Sex")),
  diary_slope = mixed(distress ~ baseline + arm * day + (day | participant), diary, tests = list("arm", "arm:day"),
                      means = "arm", at = list(day = 15)),
  diary_days = mixed(distress ~ baseline + arm * date + (1 | participant), diary, tests = list("date", "arm:date"),
                     means = "arm"),
  flat_intercept = mixed(distress ~ baseline + arm * day + (1 | participant), diaries$flat, tests = list("arm:day")),
  parallel_slope = mixed(distress ~ baseline + arm * day + (day | participant), diaries$parallel, tests = list("arm:day")),
  btheb_ar1 = generalised(bdi ~ bdi.pre + month * treatment, btheb, corAR1(form = ~ visit | subject)),
  btheb_compound_symmetry = generalised(bdi ~ bdi.pre + month * treatment, btheb, corCompSymm(form = ~ 1 | subject)),
  btheb_unstructured = generalised(bdi ~ bdi.pre + month * treatment, btheb, corSymm(form = ~ visit | subject), varIdent(form = ~ 1 | month)),
  orthodont_ar1 = generalised(distance ~ age * Sex, children, corAR1(form = ~ when | Subject)),
  orthodont_compound_symmetry = generalised(distance ~ age * Sex, children, corCompSymm(form = ~ 1 | Subject)),
  orthodont_unstructured = generalised(distance ~ age * Sex, children, corSymm(form = ~ when | Subject), varIdent(form = ~ 1 | occasion)),
  orthodont_unstructured_ml = generalised(distance ~ age * Sex, children, corSymm(form = ~ when | Subject), varIdent(form = ~ 1 | occasion), "ML"),
  diary_ar1 = generalised(distress ~ baseline + arm * date, diary, corAR1(form = ~ day | participant)),
  diary_compound_symmetry = generalised(distress ~ baseline + arm * date, diary, corCompSymm(form = ~ 1 | participant)),
  week_unstructured = generalised(distress ~ baseline + arm * date, week, corSymm(form = ~ day | participant), varIdent(form = ~ 1 | date)),
  diary_ancova = ancova(distress ~ baseline + arm, last, "arm")
)
version_of <- function(name) as.character(packageVersion(name))
packages <- c("lme4", "lmerTest", "pbkrtest", "nlme", "emmeans")
versions <- c(list(R = paste(R.version$major, R.version$minor, sep = ".")),
              setNames(lapply(packages, version_of), packages))
write_json(list(versions = versions, cases = set), file.path(here, "r.json"), digits = NA, auto_unbox = TRUE, pretty = TRUE, null = "null")

if (requireNamespace("mmrm", quietly = TRUE)) {
  library(mmrm)
  repeated <- function(formula, data, means = NULL, tests = list()) {
    fit <- function(...) mmrm(formula, data, optimizer = "BFGS", optimizer_control = list(reltol = 1e-15, maxit = 1000), ...)
    fits <- list(satterthwaite = fit(method = "Satterthwaite"),
                 "kenward-roger" = fit(method = "Kenward-Roger", vcov = "Kenward-Roger-Linear"))
    lapply(fits, function(model) {
      names <- names(component(model, "beta_est"))
      p <- length(names)
      each <- lapply(1:p, function(i) df_1d(model, pick(i, p)))
      out <- list(coefficients = named(component(model, "beta_est"), names),
                  se = named(sapply(each, function(one) one$se), names), df = named(sapply(each, function(one) one$df), names),
                  loglik = as.numeric(logLik(model)))
      assign <- attr(component(model, "x_matrix"), "assign")
      labels <- attr(terms(model), "term.labels")
      out$f <- lapply(tests, function(term) {
        found <- df_md(model, do.call(rbind, lapply(which(assign == match(term, labels)), pick, p = p)))
        c(found$f_stat, found$num_df, found$denom_df)
      })
      names(out$f) <- unlist(tests)
      if (!is.null(means)) {
        grid <- emmeans(model, means)
        rows <- as.data.frame(grid)
        pairs <- as.data.frame(contrast(grid, "pairwise", adjust = "none"))
        out$means <- list(level = as.character(rows[[means]]), mean = rows$emmean, se = rows$SE, df = rows$df,
                          contrast = as.character(pairs$contrast), difference = pairs$estimate,
                          contrast_se = pairs$SE, contrast_df = pairs$df)
      }
      out
    })
  }
  btheb$subject <- factor(btheb$subject)
  diary$participant <- factor(diary$participant)
  week$participant <- factor(week$participant)
  children$Subject <- factor(as.character(children$Subject))
  set <- list(
    btheb_unstructured = repeated(bdi ~ bdi.pre + month * treatment + us(month | subject), btheb, "treatment", list("month:treatment")),
    btheb_ar1 = repeated(bdi ~ bdi.pre + month * treatment + ar1(month | subject), btheb),
    btheb_compound_symmetry = repeated(bdi ~ bdi.pre + month * treatment + cs(month | subject), btheb, "treatment", list("month:treatment")),
    orthodont_unstructured = repeated(distance ~ age * Sex + us(occasion | Subject), children, tests = list("age:Sex")),
    orthodont_ar1 = repeated(distance ~ age * Sex + ar1(occasion | Subject), children),
    orthodont_compound_symmetry = repeated(distance ~ age * Sex + cs(occasion | Subject), children),
    week_unstructured = repeated(distress ~ baseline + arm * date + us(date | participant), week, "arm", list("arm:date")),
    diary_ar1 = repeated(distress ~ baseline + arm * date + ar1(date | participant), diary, "arm")
  )
  write_json(list(versions = list(mmrm = version_of("mmrm")), cases = set), file.path(here, "mmrm.json"), digits = NA,
             auto_unbox = TRUE, pretty = TRUE, null = "null")
}
