# What lmerTest, pbkrtest and emmeans say of the invented data beside this script, for test_compare.py.
# Rscript tests/study/analysis/reference/make.R; R is needed for nothing else.
suppressMessages({ library(lmerTest); library(emmeans); library(jsonlite) })
here <- "tests/study/analysis/reference"
arms <- c("robot", "chatbot", "worksheet")
read <- function(name) {
  d <- read.csv(file.path(here, name))
  d$arm <- factor(d$arm, arms)
  d$severity <- factor(d$severity)
  d
}
emm_options(lmer.df = "kenward-roger")
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(maxfun = 1e5, rhoend = 1e-12))
# In the order of the plan: robot - chatbot, worksheet - chatbot, robot - worksheet.
planned <- list("robot - chatbot" = c(1, -1, 0), "worksheet - chatbot" = c(0, -1, 1), "robot - worksheet" = c(1, 0, -1))
told <- function(grid) {
  plain <- as.data.frame(contrast(grid, planned))
  limits <- as.data.frame(confint(contrast(grid, planned)))
  list(
    means = as.data.frame(grid),
    contrasts = cbind(plain, low = limits$lower.CL, high = limits$upper.CL,
                      adjusted = as.data.frame(contrast(grid, planned, adjust = "holm"))$p.value)
  )
}
daily <- read("daily.csv")
line <- lmer(value ~ baseline + severity + arm * day + (day | participant), daily, control = control)
factor_ <- lmer(value ~ baseline + severity + arm + factor(day) + (1 | participant), daily, control = control)
k10 <- lm(value ~ baseline + severity + arm, read("k10.csv"))
trends <- emtrends(line, ~arm, var = "day")
found <- list(
  versions = list(R = paste(R.version$major, R.version$minor, sep = "."),
                  lme4 = as.character(packageVersion("lme4")), emmeans = as.character(packageVersion("emmeans"))),
  mean = told(emmeans(line, ~arm, at = list(day = 8))),
  last = told(emmeans(line, ~arm, at = list(day = 15))),
  trend = list(contrasts = as.data.frame(contrast(trends, planned))),
  sessions = told(emmeans(factor_, ~arm)),
  k10 = told(emmeans(k10, ~arm))
)
writeLines(toJSON(found, digits = 10, auto_unbox = TRUE, pretty = TRUE), file.path(here, "emmeans.json"))
