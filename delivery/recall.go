package delivery

// A RecallPosition is how far the recall of a webhook's deliveries has come. The
// zero value is its beginning.
type RecallPosition struct {
	Change int64 // of the webhook that the recall follows; after another one it begins again
	Stage  int   // the kind of deliveries
	Due    int64 // the place of the last one within the stage
	ID     DeliveryID
}

// A Recalled is what one portion of a recall has done.
type Recalled struct {
	Next    RecallPosition
	Changed int  // deliveries that were brought in line
	Done    bool // none is left
}

// A Disposition is what a webhook decides about a pending delivery.
type Disposition int

// The dispositions.
const (
	ToSend Disposition = iota
	ToHold
	ToCancel
)

// ErrNotEnabled says that a webhook takes no deliveries.
var ErrNotEnabled = Errorf(Conflict, "",
	"The webhook of a delivery was disabled or deleted meanwhile. Enable it, then send again.")

// Disposition returns what becomes of a delivery that was pending when w had the
// version of the given number.
func (w *Webhook) Disposition(number int) Disposition {
	switch {
	case w.Version.Deleted, number < w.CancelBefore, w.Status == Disabled && !w.Holding:
		return ToCancel
	case w.Holding:
		return ToHold
	}
	return ToSend
}
