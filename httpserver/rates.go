package httpserver

import (
	"net/netip"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// ratesKept bounds how many callers are remembered. Who was forgotten starts
// with a full bucket again.
const ratesKept = 20_000

// Rates give every caller, known by a key of the owner's choice, a bucket of
// tokens that fills again at a steady rate. They are safe for concurrent use.
type Rates struct {
	rate    rate.Limit
	burst   int
	buckets *lru.Cache[string, *rate.Limiter]
	now     func() time.Time
}

// NewRates returns Rates of so many tokens a second, with room for burst of
// them in a bucket. A rate of 0 is none: everything is allowed.
func NewRates(perSecond float64, burst int) *Rates {
	r := &Rates{rate: rate.Limit(perSecond), burst: burst, now: time.Now}
	if perSecond <= 0 {
		r.rate = rate.Inf
	}
	r.buckets, _ = lru.New[string, *rate.Limiter](ratesKept) // fails for sizes below 1 only
	return r
}

// Address returns the key of a remote address: the address itself, and of IPv6
// the network, for each client has billions of addresses in its own.
func Address(remote string) string {
	addr, err := parseAddr(remote)
	if err != nil {
		return remote
	}
	if addr.Is6() {
		const network = 64
		return netip.PrefixFrom(addr, network).Masked().String()
	}
	return addr.String()
}

// Take takes n tokens from the caller's bucket. Where there are fewer it takes
// none and returns how long it will be until there are enough, 0 otherwise.
// More than a whole bucket costs a whole bucket: a caller who has waited for
// one may do the biggest thing there is.
func (r *Rates) Take(caller string, n int) (wait time.Duration) {
	if r.rate == rate.Inf {
		return 0
	}
	bucket, now := r.bucket(caller), r.now()
	reserved := bucket.ReserveN(now, min(n, r.burst))
	if wait = reserved.DelayFrom(now); wait > 0 {
		reserved.CancelAt(now)
	}
	return wait
}

// MaxDebt is what Charge may leave a caller to wait for, at its rate.
const MaxDebt = time.Minute

// Charge takes n tokens from the caller's bucket, for what a call that was let
// through has turned out to cost. Where there are fewer the caller is in debt, and
// waits until it is paid: for MaxDebt at most.
func (r *Rates) Charge(caller string, n int) {
	if r.rate == rate.Inf {
		return
	}
	bucket, now := r.bucket(caller), r.now()
	n = min(n, int(bucket.TokensAt(now)+float64(r.rate)*MaxDebt.Seconds()))
	for ; n > 0; n -= r.burst {
		bucket.ReserveN(now, min(n, r.burst))
	}
}

// bucket returns the caller's bucket, a full one where it has none.
func (r *Rates) bucket(caller string) *rate.Limiter {
	bucket, ok := r.buckets.Get(caller)
	if !ok {
		fresh := rate.NewLimiter(r.rate, r.burst)
		if bucket, ok, _ = r.buckets.PeekOrAdd(caller, fresh); !ok {
			bucket = fresh
		}
	}
	return bucket
}
