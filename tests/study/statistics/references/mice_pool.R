# What R's mice::pool makes of the estimates of ten imputations, for tests/study/statistics/test_rubin.py.
# Rscript tests/study/statistics/references/mice_pool.R > tests/study/statistics/references/mice_pool.json
suppressPackageStartupMessages({library(mice); library(jsonlite)})
imputed <- mice(nhanes, m = 10, seed = 20260301, printFlag = FALSE)
fits <- with(imputed, lm(chl ~ age + bmi))
result <- pool(fits)$pooled
estimates <- sapply(fits$analyses, coef)
variances <- sapply(fits$analyses, function(fit) diag(vcov(fit)))
found <- lapply(seq_len(nrow(estimates)), function(row) list(
  term = rownames(estimates)[row],
  estimates = unname(estimates[row, ]), variances = unname(variances[row, ]),
  df_complete = result$dfcom[row], estimate = result$estimate[row], within = result$ubar[row],
  between = result$b[row], total = result$t[row], df = result$df[row]))
cat(toJSON(list(r = R.version.string, mice = as.character(packageVersion("mice")), terms = found),
           auto_unbox = TRUE, digits = NA, pretty = TRUE), "\n")
