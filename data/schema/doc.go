// Package schema names the columns and labels of CICIDS2017 flow records.
//
// Three forms of the data are in use: the 79-column "MachineLearningCVE" form,
// the 85-column "GeneratedLabelledFlows" form (the same with addresses, source
// port, protocol and time) and the corrected 91-column form of Liu et al. 2022
// ("Error Prevalence in NIDS datasets", CNS). All of them map onto the 77
// distinct feature columns of the 79-column form, in its order. The package
// holds names only: it reads no file.
package schema
