package cuda

import (
	"errors"

	"flowbench/kernels"
)

// order is Order in order.cuh.
type order struct {
	rows, positives                          Pointer
	seed, epoch                              uint64
	rowCount, positiveCount, dealt, batchLen int32
}

// list is rows of kernels.Orders in device memory.
type list struct {
	key  listKey
	at   Pointer
	held int // by how many holders
}

// listKey knows a list by where it lies in the host's memory, which the key keeps
// from being used for anything else.
type listKey struct {
	first *int32
	n     int
}

func keyOf(rows []int32) listKey { return listKey{&rows[0], len(rows)} }

// lists are those that an owner holds on the device. Owners of one Backend that
// hold the same list share its copy.
type lists map[listKey]*list

// hold makes held exactly the lists of the orders: it sends those that are not on
// the device, and lets go of the others.
func (b *Backend) hold(held lists, orders []*kernels.Order) error {
	need := map[listKey]bool{}
	for _, o := range orders {
		for _, rows := range [][]int32{o.Rows, o.Positives} {
			if len(rows) == 0 {
				continue
			}
			key := keyOf(rows)
			need[key] = true
			if held[key] != nil {
				continue
			}
			l, err := b.list(rows)
			if err != nil {
				return err
			}
			held[key] = l
		}
	}
	for key := range held {
		if need[key] {
			continue
		}
		if err := b.letGo(held, key); err != nil {
			return err
		}
	}
	return nil
}

// list puts rows on the device, unless somebody holds them there.
func (b *Backend) list(rows []int32) (*list, error) {
	l := b.lists[keyOf(rows)]
	if l == nil {
		at, err := b.upload(bytesOf(rows))
		if err != nil {
			return nil, err
		}
		l = &list{key: keyOf(rows), at: at}
		b.lists[l.key] = l
	}
	l.held++
	return l, nil
}

// letGo gives a held list back.
func (b *Backend) letGo(held lists, key listKey) error {
	l := held[key]
	delete(held, key)
	if l.held--; l.held > 0 {
		return nil
	}
	delete(b.lists, key)
	return b.driver.Free(l.at)
}

// on is an Order as the device sees it; its lists are held.
func (held lists) on(o *kernels.Order) order {
	at := func(rows []int32) Pointer {
		if len(rows) == 0 {
			return 0
		}
		return held[keyOf(rows)].at
	}
	return order{
		rows: at(o.Rows), positives: at(o.Positives), seed: o.Seed, epoch: o.Epoch,
		rowCount: int32(len(o.Rows)), positiveCount: int32(len(o.Positives)), dealt: int32(o.Dealt),
		batchLen: int32(min(o.Batch, o.Len())),
	}
}

// orderSet numbers Orders from 0 on as they come.
type orderSet struct {
	list []*kernels.Order
	of   map[*kernels.Order]int32
	last *kernels.Order // that number was asked for; the steps of an epoch have one
	its  int32
}

// number is an Order's; -1 for nil.
func (s *orderSet) number(o *kernels.Order) int32 {
	if o == nil {
		return -1
	}
	if o == s.last {
		return s.its
	}
	k, ok := s.of[o]
	if !ok {
		if s.of == nil {
			s.of = map[*kernels.Order]int32{}
		}
		k = int32(len(s.list))
		s.of[o] = k
		s.list = append(s.list, o)
	}
	s.last, s.its = o, k
	return k
}

// holdAll holds the Orders of a call and returns them as the device sees them. Where
// there are none it holds what it held.
func (m *machine) holdAll(orders []*kernels.Order) ([]order, error) {
	if len(orders) == 0 {
		return nil, nil
	}
	if err := m.backend.hold(m.lists, orders); err != nil {
		return nil, err
	}
	all := make([]order, len(orders))
	for i, o := range orders {
		all[i] = m.lists.on(o)
	}
	return all, nil
}

// checkOrder says which row of an Order's lists cannot be trained on. What the
// machine holds has been checked against the data that is bound.
func (m *machine) checkOrder(o *kernels.Order) error {
	for _, rows := range [][]int32{o.Rows, o.Positives} {
		if len(rows) == 0 || m.lists[keyOf(rows)] != nil {
			continue
		}
		if err := m.data.CheckRows(rows); err != nil {
			return err
		}
		if err := m.data.CheckTargets(rows, m.classes); err != nil {
			return err
		}
	}
	return nil
}

// Epoch is an Order by itself on the device, for tests and for measuring what the
// order of an epoch costs there. It takes no turns with Machines.
type Epoch struct {
	backend *Backend
	order   *kernels.Order
	held    lists
	rows    Pointer
}

// NewEpoch puts o's lists on the device, and makes room for its rows. o.Check finds
// no fault with it.
func (b *Backend) NewEpoch(o *kernels.Order) (*Epoch, error) {
	e := &Epoch{backend: b, order: o, held: lists{}}
	b.turn.Lock()
	defer b.turn.Unlock()
	err := b.hold(e.held, []*kernels.Order{o})
	if err == nil {
		e.rows, err = b.driver.Allocate(4 * o.Len())
	}
	if err != nil {
		return nil, errors.Join(err, b.hold(e.held, nil))
	}
	return e, nil
}

type orderArgs struct {
	order             order
	rows              Pointer
	first, n          int32
	threads, reserved int32
}

// rowsEach is how many rows a thread of order_rows makes: enough to be worth the
// keys that it makes first.
const rowsEach = 4

// Draw makes all rows of the epoch in the device's memory, so many times over, and
// waits for it.
func (e *Epoch) Draw(times int) error {
	e.backend.turn.Lock()
	defer e.backend.turn.Unlock()
	grid := blocks(e.order.Len(), 256*rowsEach)
	l := Launch{Kernel: "order_rows", Grid: [3]int{grid, 1, 1}, Block: 256, Args: bytesOf([]orderArgs{{
		order: e.held.on(e.order), rows: e.rows, n: int32(e.order.Len()), threads: int32(256 * grid),
	}})}
	for range times {
		e.backend.tally.add("an order by itself", map[string]int{l.Kernel: 1}, 1)
		if err := e.backend.driver.Launch(l); err != nil {
			return err
		}
	}
	return e.backend.driver.CopyOut(nil, e.rows)
}

// Rows copies what Draw has made: Order.Len rows.
func (e *Epoch) Rows() ([]int32, error) {
	e.backend.turn.Lock()
	defer e.backend.turn.Unlock()
	rows := make([]int32, e.order.Len())
	return rows, e.backend.driver.CopyOut(bytesOf(rows), e.rows)
}

// Close frees its memory.
func (e *Epoch) Close() error {
	e.backend.turn.Lock()
	defer e.backend.turn.Unlock()
	if err := e.backend.hold(e.held, nil); err != nil {
		return err
	}
	return e.backend.driver.Free(e.rows)
}
