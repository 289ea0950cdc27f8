# A hyperparameter's default is a number.
hyper beta = warm
