# An objective belongs to the program that declares it.
import modules_model: fit
