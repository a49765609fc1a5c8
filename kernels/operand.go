package kernels

import "fmt"

// Access says what an instruction does to a buffer; Read|Write is in place.
type Access uint8

const (
	Read Access = 1 << iota
	Write
)

// Operand is one buffer of an instruction.
type Operand struct {
	Field  string // the field of the instruction, "DX", "Params[2]"
	Buf    Buf    // never None
	Access Access
}

// Operands lists the buffers that an instruction touches, those it only reads
// before those it writes. It allocates; call it when compiling, not in a step.
func Operands(in Instruction) []Operand {
	var o operands
	switch in := in.(type) {
	case Corrupt:
		o.add("X", in.X, Read)
		o.add("Y", in.Y, Write)
	case Dense:
		o.add("X", in.X, Read)
		o.add("W", in.W, Read)
		o.add("B", in.B, Read)
		o.add("Z", in.Z, Write)
		o.add("Y", in.Y, Write)
	case DenseGrad:
		o.add("X", in.X, Read)
		o.add("W", in.W, Read)
		o.add("Y", in.Y, Read)
		o.add("Z", in.Z, Read)
		o.add("DY", in.DY, Read|Write)
		o.add("DW", in.DW, Write)
		o.add("DB", in.DB, Write)
		o.add("DX", in.DX, Write)
	case Norm:
		o.norm(in)
	case NormGrad:
		o.normGrad(in)
	case Loss:
		o.add("Pred", in.Pred, Read)
		o.add("Target", in.Target, Read)
		o.add("FeatureWeight", in.FeatureWeight, Read)
		o.add("DPred", in.DPred, Write)
	case ClipGradient:
		o.addAll("Grads", in.Grads, Read|Write)
	case Update:
		o.addAll("Grads", in.Grads, Read)
		o.addAll("Params", in.Params, Read|Write)
		o.addAll("M1", in.M1, Read|Write)
		o.addAll("M2", in.M2, Read|Write)
	}
	return o
}

type operands []Operand

func (o *operands) add(field string, b Buf, a Access) {
	if b != None {
		*o = append(*o, Operand{field, b, a})
	}
}

func (o *operands) addAll(field string, bufs []Buf, a Access) {
	for i, b := range bufs {
		o.add(fmt.Sprintf("%s[%d]", field, i), b, a)
	}
}

func (o *operands) norm(in Norm) {
	o.add("X", in.X, Read)
	o.add("Gain", in.Gain, Read)
	o.add("Bias", in.Bias, Read)
	o.add("RunMean", in.RunMean, Read|Write)
	o.add("RunVar", in.RunVar, Read|Write)
	o.add("InvStd", in.InvStd, Write)
	o.add("Hat", in.Hat, Write)
	o.add("Z", in.Z, Write)
	o.add("Y", in.Y, Write)
}

func (o *operands) normGrad(in NormGrad) {
	o.add("Gain", in.Gain, Read)
	o.add("Hat", in.Hat, Read)
	o.add("InvStd", in.InvStd, Read)
	o.add("Y", in.Y, Read)
	o.add("Z", in.Z, Read)
	o.add("DY", in.DY, Read|Write)
	o.add("DGain", in.DGain, Write)
	o.add("DBias", in.DBias, Write)
	o.add("DX", in.DX, Write)
}

var kindNames = [...]string{
	Table: "Table", Target: "Target", Parameter: "Parameter", Gradient: "Gradient",
	Moment: "Moment", Statistic: "Statistic", Activation: "Activation", Constant: "Constant",
}

// String is the constant's name.
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
	return kindNames[k]
}

// opName is the instruction's name in messages: "Dense", "Update".
func opName(in Instruction) string {
	switch in.(type) {
	case Corrupt:
		return "Corrupt"
	case Dense:
		return "Dense"
	case DenseGrad:
		return "DenseGrad"
	case Norm:
		return "Norm"
	case NormGrad:
		return "NormGrad"
	case Loss:
		return "Loss"
	case ClipGradient:
		return "ClipGradient"
	case Update:
		return "Update"
	}
	return fmt.Sprintf("%T", in)
}
