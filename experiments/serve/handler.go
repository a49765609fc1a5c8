package serve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"flowbench/experiments/page"
)

// Handler answers
//
//	/                          the studies, or the only one's page
//	/study/0/                  a study's page
//	/study/0/document.json     what it shows, a page.Study
//	/study/0/events            server-sent events, an Event each time a trial moves
//
// at is the address that it is reached at.
func Handler(o Options, at net.Addr) http.Handler {
	if o.Every == 0 {
		o.Every = time.Second
	}
	s := &server{every: o.Every}
	for _, st := range o.Studies {
		s.studies = append(s.studies, newWatched(st, o.Every))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", s.index)
	mux.HandleFunc("/study/{n}/{$}", s.with(s.page))
	mux.HandleFunc("/study/{n}/document.json", s.with(s.document))
	mux.HandleFunc("/study/{n}/events", s.with(s.events))
	return guard(o, at, mux)
}

type server struct {
	studies []*watched
	every   time.Duration
}

// with finds the study that the path names.
func (s *server) with(answer func(http.ResponseWriter, *http.Request, *watched)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.PathValue("n"))
		if err != nil || n < 0 || n >= len(s.studies) {
			http.Error(w, fmt.Sprintf("there is no study %q here; / lists those there are", r.PathValue("n")), http.StatusNotFound)
			return
		}
		answer(w, r, s.studies[n])
	}
}

func (s *server) index(w http.ResponseWriter, r *http.Request) {
	if len(s.studies) == 1 {
		http.Redirect(w, r, "/study/0/", http.StatusSeeOther)
		return
	}
	var links []page.Link
	for n, st := range s.studies {
		link := page.Link{Address: fmt.Sprintf("/study/%d/", n), Name: st.study.Spec.Name}
		if event, err := st.look(r.Context()); err != nil {
			link.Text = "unreadable: " + err.Error()
		} else {
			link.Text = fmt.Sprintf("%s, %d of %d trials ended", st.study.Dir, event.Progress.Ended, event.Progress.Trials)
		}
		links = append(links, link)
	}
	var b bytes.Buffer
	send(w, "text/html; charset=utf-8", &b, page.WriteIndex(&b, "Studies", links))
}

func (s *server) page(w http.ResponseWriter, r *http.Request, st *watched) {
	var b bytes.Buffer
	send(w, "text/html; charset=utf-8", &b, page.WriteLive(&b, st.study.Spec.Name, page.Live{Document: "document.json", Events: "events"}))
}

func (s *server) document(w http.ResponseWriter, r *http.Request, st *watched) {
	raw, err := st.document(r.Context())
	send(w, "application/json", bytes.NewBuffer(raw), err)
}

// send writes a whole answer, or the error in its place.
func send(w http.ResponseWriter, kind string, b *bytes.Buffer, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	b.WriteTo(w) // who has gone hears nothing
}

// quiet is after how long without news a comment keeps the connection open.
const quiet = 15 * time.Second

// events tells of the study until either side ends.
func (s *server) events(w http.ResponseWriter, r *http.Request, st *watched) {
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	var last []byte
	for heard := time.Now(); ; {
		event, err := st.look(r.Context())
		if r.Context().Err() != nil {
			return
		}
		raw, _ := json.Marshal(event) // of numbers and texts
		switch {
		case err != nil: // a look that fails is made up for by the next one
		case !bytes.Equal(raw, last):
			last, heard = raw, time.Now()
			fmt.Fprintf(w, "event: progress\ndata: %s\n\n", raw)
			err = out.Flush()
		case time.Since(heard) > quiet:
			heard = time.Now()
			fmt.Fprint(w, ": nothing new\n\n")
			err = out.Flush()
		}
		if err != nil && r.Context().Err() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}
