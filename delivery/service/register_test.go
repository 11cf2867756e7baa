package service

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"portalhooks/delivery"
	"portalhooks/delivery/deliverytest"
	"portalhooks/delivery/memstore"
)

// partOf reports whether a text keeps another in memory by being part of it.
func partOf(text, whole string) bool {
	at := uintptr(unsafe.Pointer(unsafe.StringData(text)))
	from := uintptr(unsafe.Pointer(unsafe.StringData(whole)))
	return text != "" && at >= from && at < from+uintptr(len(whole))
}

// Texts of a report may be parts of a request of megabytes.
func TestNothingThatStaysKeepsTheRequestInMemory(t *testing.T) {
	store := memstore.NewFaulty()
	s := newFront(t, store)
	taking(t, s)
	request := strings.Clone("acme;Acme;source;alert;Alert;https://example.com/alert;ws-1;WS 1")
	parts := strings.Split(request, ";")
	r := deliverytest.AlertReport(parts[2])
	r.OrganizationID, r.OrganizationName = parts[0], parts[1]
	alert := &r.ActiveAlert.Alert
	alert.ID, alert.Name, alert.ViewURL = parts[3], parts[4], parts[5]
	r.ActiveAlert.Workspace = &delivery.ReportedWorkspace{ID: parts[6], Name: parts[7]}
	take(t, s, r)
	org, item := store.OrgRows[0], store.ItemRows[0]
	for _, text := range []string{org.ExternalID, org.Name, item.ExternalID, item.Name, item.ViewURL} {
		if partOf(text, request) {
			t.Errorf("the learnt text %q is part of the request", text)
		}
	}
	if len(store.EventRows) != 1 {
		t.Fatalf("%d events", len(store.EventRows))
	}
	for _, e := range store.EventRows {
		if !partOf(e.SourceEventID, request) {
			t.Error("the event has been copied before it is known whether anything keeps it")
		}
		kept := e.WithoutReport()
		for _, text := range []string{kept.ItemName, kept.SourceEventID, kept.WorkspaceID, kept.WorkspaceName} {
			if text == "" || partOf(text, request) {
				t.Errorf("%q of the kept event is part of the request", text)
			}
		}
		if fmt.Sprint(kept) != fmt.Sprint(e) {
			t.Errorf("the kept event is %+v, want %+v", kept, e)
		}
	}
}
